-- Changes of reservations, decided on copies and written by `commit`, all or nothing.
--@include emit
-- Late requests are answered from here, without MySQL, for ten minutes after the end.
local TOMBSTONE_TTL_MS = 600000
local RECLAIM_MAX = 200

-- The counter that holds a reservation's units in each state.
local COUNTER = {
  none = 'available', held = 'held', pending = 'pending', paid = 'sold', released = 'available',
  expired = 'available', cancelled = 'available', refund_due = 'available', refunded = 'sold',
  returned = 'available',
}

local records, remembered, due_removed = {}, {}, {}

-- Takes a reservation to its next state: units, buyer counts, index member, record, journal.
-- `more` may carry `deadline_ms`, `reference`, `prices`, `key` and `fingerprint`.
local function transition(record, to, more)
  more = more or {}
  local from, from_counter, to_counter = record.state, COUNTER[record.state], COUNTER[to]
  record.items = record.items or parse_items(record.items_text)
  local items = record.items
  if is_live(from) then
    local member = due_member(record)
    due_removed[member] = true
    due_removed[#due_removed + 1] = member
  end
  if from_counter ~= to_counter then
    move_units(items, from_counter, to_counter)
    local buyer_delta = 0
    if to_counter == 'available' then buyer_delta = -1 end
    if from_counter == 'available' then buyer_delta = 1 end
    if record.counted and buyer_delta ~= 0 then
      for _, item in ipairs(items) do
        add_buyer_units(item.product_id, record.buyer, buyer_delta * item.qty)
      end
    end
  end
  record.state, record.version = to, record.version + 1
  record.deadline_ms = more.deadline_ms or record.deadline_ms
  record.reference = more.reference or record.reference
  record.ordered = record.ordered or to == 'pending'
  records[record.id] = record
  local moved = from_counter ~= to_counter and from_counter .. '>' .. to_counter or ''
  add_to_entry('reservation', record.id .. '\t' .. from .. '\t' .. to .. '\t' ..
    integer(record.version) .. '\t' .. record.items_text .. '\t' .. moved .. '\t' ..
    record.buyer .. (record.counted and '\t1\t' or '\t\t') .. integer(record.deadline_ms) .. '\t' ..
    integer(record.amount_minor) .. '\t' .. record.currency .. '\t' .. (more.prices or '') .. '\t' ..
    record.reference .. '\t' .. (more.key or '') .. '\t' .. (more.fingerprint or ''))
end

-- Expires overdue reservations of the lane, at most RECLAIM_MAX, once per script. Afterwards
-- `overdue_left` tells whether there are more: then nobody may be refused for want of units.
local reclaimed_count, overdue_left = nil, false
local function reclaim()
  if reclaimed_count then return end
  reclaimed_count = 0
  local members = redis.call('ZRANGE', due_key, '-inf', integer(now_ms), 'BYSCORE',
    'LIMIT', 0, RECLAIM_MAX + 1)
  overdue_left = #members > RECLAIM_MAX
  for index = 1, math.min(#members, RECLAIM_MAX) do
    if not due_removed[members[index]] then
      local id, state, version, items, buyer =
        string.match(members[index], '^([^|]*)|([^|]*)|([^|]*)|([^|]*)|(.*)$')
      transition({
        id = id, state = state, version = tonumber(version), items_text = items,
        deadline_ms = now_ms, amount_minor = 0, currency = '', buyer = buyer, counted = buyer ~= '',
        ordered = state == 'pending', reference = '',
      }, 'expired')
      reclaimed_count = reclaimed_count + 1
    end
  end
end

-- The reservation as it stands now, or nil when Redis does not know it. An overdue one comes back
-- as expired, whoever asks first. `facts` is MySQL's word for a record that Redis lacks: the member
-- it implies proves that the units are still held or pending, else the reservation has ended.
local function load_record(id, facts, facts_epoch)
  if records[id] then return records[id] end
  local text = redis.call('GET', reservation_key(id))
  local record = text and parse_record(id, text)
  if not record then
    reclaim()
    record = records[id]
  end
  if not record and facts ~= '' and facts_epoch == lane_epoch then
    record = parse_record(id, facts)
  end
  if not record then return nil end
  if is_live(record.state) then
    if not redis.call('ZSCORE', due_key, due_member(record)) then return nil end
    if record.deadline_ms <= now_ms then transition(record, 'expired') end
  end
  return record
end

-- The first effect under a key: earlier in this batch, or remembered by Redis.
local function first_effect(key)
  return remembered[key] and remembered[key].value or redis.call('GET', key)
end

-- Remembers a first effect under its caller's key.
local function remember(key, value, ttl_ms)
  remembered[key] = {value = value, ttl_ms = ttl_ms}
end

-- Writes everything that was decided. The outbox first, as the only write that may fail.
local function commit(call)
  if transition_count == 0 then return end
  redis.call('ZCARD', due_key) -- raises WRONGTYPE while nothing is written yet
  lane_position = emit(call)
  -- Past this line nothing may fail.
  write_counters()
  if #due_removed > 0 then redis.call('ZREM', due_key, unpack(due_removed)) end
  local due_added = {}
  for id, record in pairs(records) do
    local text, deadline_ms = format_record(record), integer(record.deadline_ms)
    if is_live(record.state) then
      redis.call('SET', reservation_key(id), text, 'PXAT', deadline_ms)
      due_added[#due_added + 1] = deadline_ms
      due_added[#due_added + 1] = due_member(record)
    else
      redis.call('SET', reservation_key(id), text, 'PX', TOMBSTONE_TTL_MS)
    end
  end
  if #due_added > 0 then redis.call('ZADD', due_key, unpack(due_added)) end
  for key, first in pairs(remembered) do redis.call('SET', key, first.value, 'PX', first.ttl_ms) end
end
