#!lua
--[[
Writes into the journal where the counters of some products stand, so that the writer can compare
them with its own at this very position.

KEYS[1] lane        hash      the lane; all other keys follow from it (include/keys)
ARGV[1] epoch       integer   as the caller knows it
ARGV[2] run         string    run_id of the server the caller is connected to
ARGV[3] call        string    names this call in the journal, and the mark
ARGV[4] product_id  integer   repeats

Returns, in order of precedence
  {'closed', now_ms}   a lane that is absent or being rebuilt: nothing written
  {'stale', now_ms}    nothing written
  {'marked', now_ms, corrections}   how often counters of this lane were put right so far
Emits marked
]]
--@include transition
local epoch, run, call = ARGV[1], ARGV[2], ARGV[3]

local refused = gate_books(epoch, run)
if refused then return refused end

local marked = {}
for index = 4, #ARGV do
  local product_id = ARGV[index]
  local product = load_product(product_id)
  marked[#marked + 1] = product_id .. ':' .. (product and table.concat({
    integer(product.total), integer(product.available), integer(product.held),
    integer(product.pending), integer(product.sold),
  }, ':') or '-')
end
add_to_entry('marked', call .. '\t' .. table.concat(marked, ','))
commit(call)
local corrections = redis.call('HGET', lane_key, 'corrections') or '0'
return {'marked', now_ms, corrections}
