-- The reservation record, its index member and its items as text. src/domain/reservation.ts spells
-- the same formats; a test compares the two.
local RECORD_PATTERN = '^' .. string.rep('([^|]*)|', 9) .. '(.*)$'

-- tostring() turns integers from 1e14 on into exponents. ('%.0f' costs twice as much.)
-- Kept, since the holds of a batch share most of their numbers.
local integers = {}
local function integer(number)
  local text = integers[number]
  if not text then
    text = string.format('%d', number)
    integers[number] = text
  end
  return text
end

-- '42:2,43:1' -> {{product_id = '42', qty = 2}, ...}, sorted by product as the caller wrote it.
-- Read-only: the same text gives the same table.
local items_by_text = {}
local function parse_items(text)
  local items = items_by_text[text]
  if items then return items end
  items = {}
  items_by_text[text] = items
  for product_id, qty in string.gmatch(text, '(%d+):(%d+)') do
    items[#items + 1] = {product_id = product_id, qty = tonumber(qty)}
  end
  return items
end

local function parse_record(id, text)
  local state, version, items, deadline_ms, amount_minor, currency, buyer, counted, ordered,
    reference = string.match(text, RECORD_PATTERN)
  if not state then error('reservation ' .. id .. ' has an unreadable record: ' .. text) end
  return {
    id = id, state = state, version = tonumber(version), items_text = items,
    deadline_ms = tonumber(deadline_ms), amount_minor = tonumber(amount_minor), currency = currency,
    buyer = buyer, counted = counted == '1', ordered = ordered == '1', reference = reference,
  }
end

local function format_record(record)
  return record.state .. '|' .. integer(record.version) .. '|' .. record.items_text .. '|' ..
    integer(record.deadline_ms) .. '|' .. integer(record.amount_minor) .. '|' .. record.currency ..
    '|' .. record.buyer .. (record.counted and '|1|' or '||') .. (record.ordered and '1|' or '|') ..
    record.reference
end

-- A live reservation has units in `held` or `pending` and a member in the index.
local function is_live(state) return state == 'held' or state == 'pending' end

local function due_member(record)
  return record.id .. '|' .. record.state .. '|' .. integer(record.version) .. '|' ..
    record.items_text .. '|' .. (record.counted and record.buyer or '')
end
