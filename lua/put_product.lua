#!lua
--[[
Makes a product sellable in this lane, or gives it newer rules. MySQL had them first; counters that
exist are never touched.

KEYS[1] lane            hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch           integer   as the caller knows it
ARGV[2] run             string    run_id of the server the caller is connected to
ARGV[3] call            string    names this call in the journal
ARGV[4] late_ms         integer   milliseconds since 1970, the request's own deadline
ARGV[5] product_id      integer
ARGV[6] rules_version   integer   only a higher one is applied
ARGV[7] initial_stock   integer   or '' when the journal has stock of this product already
ARGV[8] name            string
ARGV[9] status          string    active or paused
ARGV[10] starts_at_ms   integer   or ''
ARGV[11] ends_at_ms     integer   or ''
ARGV[12] hold_ttl_ms    integer
ARGV[13] pay_ttl_ms     integer
ARGV[14] max_per_hold   integer   or ''
ARGV[15] max_per_buyer  integer   or ''
ARGV[16] price_minor    integer
ARGV[17] currency       string
ARGV[18] extend_ms      integer   by which a hold can be extended, once; or ''

Returns, in order of precedence
  {'closed', now_ms}       nothing written
  {'stale', now_ms}        nothing written
  {'late', now_ms}         nothing written
  {'no_counters', now_ms}  MySQL has stock of it and Redis has lost it: nothing written
  {'created', now_ms}
  {'unchanged', now_ms}    these rules or newer ones were there
  {'updated', now_ms}
Emits rules, and stock when created
]]
--@include transition
local epoch, run, call, late_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local product_id, rules_version, initial_stock = ARGV[5], ARGV[6], ARGV[7]

local refused = gate(epoch, run, late_ms)
if refused then return refused end

local product = load_product(product_id)
if not product and initial_stock == '' then return {'no_counters', now_ms} end
-- Told by the journal as well, though nobody needs to read it there: rules that are lost with Redis
-- are then missed like any other entry.
add_to_entry('rules', product_id .. '\t' .. rules_version)
if product then
  local known_version = tonumber(redis.call('HGET', product_key(product_id), 'rules_version') or 0)
  if known_version >= tonumber(rules_version) then
    commit(call)
    return {'unchanged', now_ms}
  end
else
  local total = tonumber(initial_stock)
  products[product_id] = {
    total = total, available = total, held = 0, pending = 0, sold = 0, changed = true,
  }
  add_to_entry('stock', product_id .. '\t' .. initial_stock .. '\t')
end
commit(call)

local key = product_key(product_id)
redis.call('HSET', key, 'rules_version', rules_version, 'name', ARGV[8], 'status', ARGV[9],
  'hold_ttl_ms', ARGV[12], 'pay_ttl_ms', ARGV[13], 'price_minor', ARGV[16], 'currency', ARGV[17])
local optional = {
  starts_at_ms = ARGV[10], ends_at_ms = ARGV[11], max_per_hold = ARGV[14], max_per_buyer = ARGV[15],
  extend_ms = ARGV[18],
}
for field, value in pairs(optional) do
  if value == '' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, value) end
end
if product then return {'updated', now_ms} end
return {'created', now_ms}
