#!lua flags=no-writes
--[[
Reads counters and rules of products.

KEYS[1] lane        hash      the lane; all other keys follow from it (include/keys)
ARGV[1] product_id  integer   repeats

Returns, in order of precedence
  {'closed', now_ms}
  {'products', now_ms, fields, ...}   for each product its fields, or an empty list when the lane
      does not have it: name, total, available, held, pending, sold, status, starts_at_ms,
      ends_at_ms, hold_ttl_ms, pay_ttl_ms, max_per_hold, max_per_buyer, price_minor, currency,
      extend_ms; null for none
Emits nothing
]]
--@include clock
--@include keys
if redis.call('HGET', lane_key, 'state') ~= 'open' then return {'closed', now_ms} end

local reply = {'products', now_ms}
for index = 1, #ARGV do
  local fields = redis.call('HMGET', product_key(ARGV[index]), 'name',
    'total', 'available', 'held', 'pending', 'sold', 'status', 'starts_at_ms', 'ends_at_ms',
    'hold_ttl_ms', 'pay_ttl_ms', 'max_per_hold', 'max_per_buyer', 'price_minor', 'currency',
    'extend_ms')
  reply[#reply + 1] = fields[2] and fields or {}
end
return reply
