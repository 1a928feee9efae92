--- swale run --tensorboard, swale export tensorboard: the event file is what metrics.jsonl says.
local batch = require "batch_harness"
local board = require "swale.run.board"
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local runs = require "swale.run"

TestBoards = batch.class()

--- The event file that a run's metrics.jsonl gives.
function TestBoards:expected(dir)
  local folder = self.dir .. "/expected"
  folders.make_folder(folder)
  board.write(folder, runs.read_info(dir), runs.read_metrics(dir)):close()
  return command.read(folder .. "/" .. board.NAME)
end

function TestBoards:test_a_run_that_was_killed_and_goes_on_has_no_step_twice()
  command.write_script(self.dir .. "/a.lua", [[
    run.checkpoint_seconds = 0
    trainer:on("epoch", function(s)
      if s.epoch >= 2 and not run.info.resumed then
        run:record { kind = "late", step = s.step, value = 1 }
        require("luv").kill(run.info.pid, "sigkill")
      end
    end)
    trainer:fit { epochs = 3, run = run }]])
  local result = command.swale(self.dir, { "run", "a.lua", "--tensorboard" })
  lu.assert_equals(result.code, 137, result.err)
  local dir = self:runs()[1]
  local before = command.read(dir .. "/" .. board.NAME)
  lu.assert_str_contains(before, "late/value")
  result = command.swale(self.dir, { "resume", "last" })
  lu.assert_equals(result.code, 0, result.err)
  local text = command.read(dir .. "/" .. board.NAME)
  lu.assert_not_str_contains(text, "late/value")
  lu.assert_str_contains(text, "epoch/valid_loss")
  lu.assert_true(text == self:expected(dir), "the file is not what metrics.jsonl says")
end

function TestBoards:test_batches_pass_it_on_and_runs_without_it_are_exported()
  self:write("a.lua", "run:record { kind = 'mine', step = 1, value = p.lr }")
  local result = self:batch("a.lua", "--tensorboard")
  batch.ends(result, 0, "ran 1, skipped 0, failed 0")
  local dir = self:runs()[1]
  lu.assert_true(command.read(dir .. "/" .. board.NAME) == self:expected(dir))
  batch.ends(self:batch("a.lua", "lr=2", "--tag", "x"), 0, "ran 1, skipped 0, failed 0")
  result = command.swale(self.dir, { "export", "tensorboard", "--out", "boards" })
  lu.assert_equals(result.code, 0, result.err)
  for _, name in ipairs(folders.entries(self.dir .. "/boards")) do
    local text = command.read(("%s/boards/%s/%s"):format(self.dir, name, board.NAME))
    lu.assert_true(text == self:expected(self.dir .. "/runs/" .. name))
  end
  lu.assert_equals(#folders.entries(self.dir .. "/boards"), 2)
  result = command.swale(self.dir, { "export", "tensorboard" })
  lu.assert_equals(result.code, 2)
  lu.assert_str_contains(result.err, "--out FOLDER")
end
