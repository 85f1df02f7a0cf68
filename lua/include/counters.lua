-- Working copies of product counters and buyer counts. A script decides on these; `commit` writes
-- them back.
--@include keys
--@include record
local products, buyer_units = {}, {}

-- The counters and rules of a product, or nil when the lane does not have it.
local function load_product(product_id)
  local product = products[product_id]
  if product == nil then
    local fields = redis.call('HMGET', product_key(product_id),
      'total', 'available', 'held', 'pending', 'sold', 'status', 'starts_at_ms', 'ends_at_ms',
      'hold_ttl_ms', 'pay_ttl_ms', 'max_per_hold', 'max_per_buyer', 'price_minor', 'currency')
    product = fields[1] and {
      total = tonumber(fields[1]), available = tonumber(fields[2]), held = tonumber(fields[3]),
      pending = tonumber(fields[4]), sold = tonumber(fields[5]), status = fields[6],
      starts_at_ms = tonumber(fields[7]), ends_at_ms = tonumber(fields[8]),
      hold_ttl_ms = tonumber(fields[9]), pay_ttl_ms = tonumber(fields[10]),
      max_per_hold = tonumber(fields[11]), max_per_buyer = tonumber(fields[12]),
      price_minor = tonumber(fields[13]), currency = fields[14],
    } or false
    products[product_id] = product
  end
  return product or nil
end

-- Units of a product that a buyer holds, owes for or bought, as far as they were counted.
local function load_buyer_units(product_id, buyer)
  local counts = buyer_units[product_id]
  if counts == nil then
    counts = {}
    buyer_units[product_id] = counts
  end
  if counts[buyer] == nil then
    counts[buyer] = {units = tonumber(redis.call('HGET', buyers_key(product_id), buyer) or 0)}
  end
  return counts[buyer]
end

local function add_buyer_units(product_id, buyer, delta)
  local count = load_buyer_units(product_id, buyer)
  count.units = count.units + delta
  count.changed = true
end

-- Moves the units of all items from one counter to another.
local function move_units(items, from, to)
  for _, item in ipairs(items) do
    local product = load_product(item.product_id)
    if not product then error('product ' .. item.product_id .. ' has no counters') end
    product[from] = product[from] - item.qty
    product[to] = product[to] + item.qty
    product.changed = true
  end
end

local function write_counters()
  for product_id, product in pairs(products) do
    if product and product.changed then
      redis.call('HSET', product_key(product_id), 'total', integer(product.total),
        'available', integer(product.available), 'held', integer(product.held),
        'pending', integer(product.pending), 'sold', integer(product.sold))
    end
  end
  for product_id, counts in pairs(buyer_units) do
    for buyer, count in pairs(counts) do
      if count.changed and count.units > 0 then
        redis.call('HSET', buyers_key(product_id), buyer, integer(count.units))
      elseif count.changed then
        redis.call('HDEL', buyers_key(product_id), buyer)
      end
    end
  end
end
