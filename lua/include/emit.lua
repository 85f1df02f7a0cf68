-- The journal: what a script did, appended to the outbox in the same step. One entry per call.
--@include gate
--@include record
--@include counters
local entry, transition_count = {}, 0

local function add_to_entry(field, text)
  local length = #entry
  entry[length + 1] = field
  entry[length + 2] = text
  transition_count = transition_count + 1
end

-- Appends the entry and moves the lane's tail. Returns the entry's id.
local function emit(call)
  -- One field for all products: thousands of results would be too many for `unpack`.
  local counters = {}
  for product_id, product in pairs(products) do
    if product and product.changed then
      counters[#counters + 1] = table.concat({
        product_id, integer(product.total), integer(product.available), integer(product.held),
        integer(product.pending), integer(product.sold),
      }, ':')
    end
  end
  if #counters > 0 then
    entry[#entry + 1] = 'counters'
    entry[#entry + 1] = table.concat(counters, ',')
  end
  emitted_count = emitted_count + transition_count
  local id = redis.call('XADD', outbox_key, lane_epoch .. '-*', 'call', call, 'prev', lane_tail,
    'at_ms', integer(now_ms), 'emitted', integer(emitted_count), unpack(entry))
  redis.call('HSET', lane_key, 'tail', call, 'position', id, 'emitted', integer(emitted_count))
  return id
end
