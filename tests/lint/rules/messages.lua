-- No script decides by the text of a message: what a caller has to know of an error is its code. A
-- variable is taken for a message by its name. Cutting a message (gsub, sub) is fine.
local NAMES = { "message", "problem", "why", "reason" }

-- Texts of others, who give no code: where they are read, and whose they are.
local ALLOWED = {
  ["scripts/swale/repl/init.lua"] = "Lua's parser: <eof> where more is to come",
  ["scripts/swale/folders.lua"] = "libuv: the code begins its messages",
  ["scripts/swale/process.lua"] = "libuv",
  ["scripts/swale/run/lines.lua"] = "libuv",
  ["scripts/swale/run/place.lua"] = "libuv",
  ["scripts/swale/cli/new.lua"] = "libuv",
}

-- A message is compared, or searched: message == "…", message:find "…", problem:match("…").
local function compares(code)
  for _, name in ipairs(NAMES) do
    local variable = "%f[%w_][%w_.]*" .. name .. "%f[^%w_]"
    for _, after in ipairs { "%s*:find%f[%W]", "%s*:match%f[%W]", "%s*:gmatch%f[%W]" } do
      if code:find(variable .. after) then return true end
    end
    if (name == "message" or name == "problem") and code:find(variable .. '%s*[=~]=%s*["\']') then
      return true
    end
  end
  return false
end

return function(tree, fault)
  for _, file in ipairs(tree) do
    local path = file.path
    if (path:find "^scripts/" or path:find "^experiments/") and not ALLOWED[path] then
      for i, line in ipairs(file.lines) do
        if compares((line:gsub("%-%-.*", ""))) then
          fault(path, i, "decides by the text of a message; errors carry codes")
        end
      end
    end
  end
end
