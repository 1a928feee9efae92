-- Files of core/graph ask the row of an op, never its name: SW_OP_… stands in the families of ops,
-- in build.c and fuse.c, and in program.c for leaves. Each row stands in an op_*.c and has a power.
local MAY_NAME = { ["build.c"] = true, ["fuse.c"] = true }
local LEAVES = { input = true, param = true, constant = true, fill = true }

local function check_names(file, name, fault)
  for i, line in ipairs(file.lines) do
    for op in line:gmatch "%f[%w_]SW_OP_(%l[%w_]*)" do
      if not (name == "program.c" and LEAVES[op]) then
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
    elseif name and not MAY_NAME[name] then
      check_names(file, name, fault)
    end
  end
end
