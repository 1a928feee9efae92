--- The contents of run.json: what is written at the start, and the text of all of it.
local core = require "swale.core"
local format = require "swale.run.format"
local inputs = require "swale.run.inputs"
local keys = require "swale.run.key"
local machine = require "swale.machine"
local records = require "swale.run.record"
local standing = require "swale.run.status"

local M = {}

---Returns a copy of plain data, as a reader of the file gets it.
---@param value any
---@return any
function M.copy(value) return core.json_decode(core.json_encode(value)) end

--- What the work is: the script, its inputs so far, the content key.
local function work(o)
  if not o.script then return {} end
  local files, digest = inputs.list(), nil
  local first = files[1]
  if first and first.kind == "script" and first.path == o.script then digest = first.sha256 end
  digest = digest or core.file_sha256(o.script)
  return { script = o.script, sha256 = digest, files = files, cwd = require "luv".cwd(),
    key = digest and keys.of { script_sha256 = digest, params = o.params or {}, seed = o.seed } }
end

---Returns the contents at the start.
---@param o swale.RunOptions
---@param revision swale.Revision|{}
---@return table
function M.of(o, revision)
  local writer, origin = standing.writer(), require("swale.run.origin").get()
  local done = work(o)
  return {
    format = format.VERSION, experiment = o.experiment, params = M.copy(o.params or {}),
    given = M.copy(o.given or {}), seed = o.seed, argv = o.argv, cwd = done.cwd,
    script = done.script, script_sha256 = done.sha256, files = done.files,
    key = not o.parent and done.key or nil, -- a fork does no work that another run could do
    objective = o.objective and { name = o.objective.name, goal = o.objective.goal },
    tensorboard = o.tensorboard or nil,
    rerun_of = o.repeats and o.repeats.id,
    parent = o.parent,
    commit = revision.commit, dirty = revision.dirty,
    versions = { swale = core._VERSION, lua = _VERSION },
    machine = machine.describe(), threads = core.threads(), instruction_set = core.variant(),
    blas = core.blas(), matmul_precision = "highest",
    collection = origin.collection, tag = origin.tag, attempt = origin.attempt,
    claims = origin.claims,
    status = "running", started = records.now(), pid = writer.pid, host = writer.host,
    process_start = writer.process_start, boot_id = writer.boot_id,
  }
end

---Makes info that of a run which is being written by this process.
---@param info table
function M.mark_running(info)
  local writer = standing.writer()
  info.status, info.error, info.ended = "running", nil, nil
  for name, value in pairs(writer) do info[name] = value end
end

---Returns info as JSON; fields that JSON cannot hold are left out and named in left_out.
---@param info table
---@return string
function M.text(info)
  local ok, text = pcall(core.json_encode, info, 2)
  if ok then return text end
  local kept, left_out = {}, {}
  for key, value in pairs(info) do
    local good, why = pcall(core.json_encode, { [key] = value })
    if good then kept[key] = value else left_out[#left_out + 1] = tostring(why) end
  end
  table.sort(left_out)
  kept.left_out = left_out
  return core.json_encode(kept, 2)
end

return M
