#!lua
--[[
Adds units to a product, or takes available ones away, once for each key.

KEYS[1] lane        hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch       integer   as the caller knows it
ARGV[2] run         string    run_id of the server the caller is connected to
ARGV[3] call        string    names this call in the journal
ARGV[4] late_ms     integer   milliseconds since 1970, the request's own deadline
ARGV[5] product_id  integer
ARGV[6] delta       integer   units, positive or negative
ARGV[7] key         string    of the adjustment; its row is in MySQL already
ARGV[8] ttl_ms      integer   how long the key is remembered here (MySQL remembers it for good)

Returns, in order of precedence
  {'closed', now_ms}           nothing written
  {'stale', now_ms}            nothing written
  {'late', now_ms}             nothing written
  {'repeated', now_ms}         this adjustment was made before
  {'unknown_product', now_ms}
  {'again', now_ms}            overdue units are still coming back
  {'insufficient', now_ms, available}   the rest is held or sold
  {'adjusted', now_ms}
Emits stock, and expired for what it reclaimed
]]
--@include transition
local epoch, run, call, late_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local product_id, delta, key, ttl_ms = ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]

local refused = gate(epoch, run, late_ms)
if refused then return refused end

local remembered_key = adjustment_key(product_id .. ':' .. key)
if redis.call('GET', remembered_key) then return {'repeated', now_ms} end

local product = load_product(product_id)
if not product then return {'unknown_product', now_ms} end

local function decide()
  if product.available + delta < 0 then reclaim() end
  if product.available + delta < 0 then
    if overdue_left then return {'again', now_ms} end
    return {'insufficient', now_ms, product.available}
  end
  product.total = product.total + delta
  product.available = product.available + delta
  product.changed = true
  add_to_entry('stock', product_id .. '\t' .. integer(delta) .. '\t' .. key)
  remember(remembered_key, integer(delta), ttl_ms)
  return {'adjusted', now_ms}
end

local reply = decide()
commit(call)
return reply
