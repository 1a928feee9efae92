-- Files of core/graph and bindings ask the row of an op, never its name: SW_OP_… stands in the
-- families of ops and in the files below. Each row stands in an op_*.c and has a power.
local function set(names)
  local all = {}
  for name in names:gmatch "%S+" do all[name] = true end
  return all
end

--- The files that may name ops, and which: true is all.
local MAY_NAME = {
  ["core/graph/build.c"] = true, ["core/graph/fuse.c"] = true,
  ["core/graph/program.c"] = set "input param constant fill", -- the leaves
  ["bindings/lua_apply.c"] = set "add sub mul div pow neg",   -- the operators of Lua
  ["bindings/lua_index.c"] = set "slice reshape",             -- node[i]
}

local function check_names(file, fault)
  local may = MAY_NAME[file.path] or {}
  if may == true then return end
  for i, line in ipairs(file.lines) do
    for op in line:gmatch "%f[%w_]SW_OP_(%l[%w_]*)" do
      if not may[op] then
        fault(file.path, i, "knows the op %s by its name; ask a field of its row", op)
      end
    end
    if line:find "^const swi_op_row swi_row_" then
      fault(file.path, i, "the row of an op stands in the op_*.c of its family")
    end
  end
end

local function check_rows(file, fault)
  local text = table.concat(file.lines, "\n")
  for row, body in text:gmatch "\nconst swi_op_row swi_row_([%w_]+) =(.-};)" do
    if not body:find "%.power =" then fault(file.path, nil, "swi_row_%s has no .power", row) end
  end
end

return function(tree, fault)
  for _, file in ipairs(tree) do
    local name = file.path:match "^core/graph/([^/]+%.[ch])$"
    if name and name:find "^op_.*%.c$" then
      check_rows(file, fault)
    elseif name or file.path:find "^bindings/" then
      check_names(file, fault)
    end
  end
end
