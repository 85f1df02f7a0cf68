-- Every key of a lane, derived from the one declared key. Spelled here and in src/redis/keys.ts;
-- a test compares the two.
local lane_key = KEYS[1]
local lane_prefix = string.sub(lane_key, 1, -5)
local due_key = lane_prefix .. 'due'
local outbox_key = lane_prefix .. 'outbox'

local function product_key(product_id) return lane_prefix .. 'product:' .. product_id end
local function reservation_key(id) return lane_prefix .. 'res:' .. id end
local function buyers_key(product_id) return lane_prefix .. 'buyers:' .. product_id end
local function idempotency_key(operation, key)
  return lane_prefix .. 'idem:' .. operation .. ':' .. key
end
local function adjustment_key(key) return lane_prefix .. 'adj:' .. key end
