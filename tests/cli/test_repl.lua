--- swale repl, through pipes and, with python3, on a terminal.
local command = require "command"
local lu = require "luaunit"
local process = require "swale.process"

TestRepl = command.in_a_folder()

function TestRepl:repl(text)
  command.write(self.dir .. "/input", text)
  return command.shell(self.dir, 'cat input | "$@"', { "repl" })
end

local function gives(result, out, err)
  lu.assert_equals({ result.out, result.err, result.code }, { out, err or "", err and 1 or 0 })
end

function TestRepl:test_values_are_printed()
  gives(self:repl "1 + 1\n2, nil, 'a'\nx = 5\nx\n\n-- nothing\n", "2\n2\tnil\ta\n5\n")
  gives(self:repl "sw.tensor { { 1, 2 }, { 3, 4 } }\n", "[[1. 2.]\n [3. 4.]]\n[float32 2x2]\n")
  gives(self:repl "{ 1, 'a', { b = 2, [3] = true } }\n{}\n",
    '{ 1, "a", { [3] = true, b = 2 } }\n{}\n')
end

function TestRepl:test_long_and_deep_tables_are_cut()
  local result = self:repl("t = {} t.t = { t = { t = t } }\nt\n"
    .. "u = {} for i = 1, 99 do u[i] = i end\nu\n")
  lu.assert_str_contains(result.out, "{ t = { t = { t = { … } } } }")
  lu.assert_str_contains(result.out, "… 59 more")
end

function TestRepl:test_chunks_of_several_lines()
  gives(self:repl "for i = 1, 2 do\nprint(i)\nend\nx = [[a\nb]]\nx\n1 +\n2\n", "1\n2\na\nb\n3\n")
end

function TestRepl:test_errors_end_nothing()
  gives(self:repl "error 'no'\n1 = 2\nx.y = 1\nerror {}\nsw.nn.Linear(3)\n7\n", "7\n",
    "no\nunexpected symbol near '1'\nattempt to index a nil value (global 'x')\nerror: {}\n"
    .. "nn.Linear: outputs must be a whole number above 0, not nil\n")
end

function TestRepl:test_help()
  local all = self:repl "help\n"
  for _, name in ipairs { "sw.nn\n", "Sequential", "cross_entropy", "randn", "cosine" } do
    lu.assert_str_contains(all.out, name)
  end
  lu.assert_equals(self:repl("help()\n").out, all.out)
  local page = self:repl 'help "nn.Linear"\n'
  lu.assert_str_contains(page.out, "y = x W' + b")
  lu.assert_str_contains(self:repl("help(sw.nn.Linear)\n").out, "y = x W' + b")
  lu.assert_str_contains(self:repl('help "nn.Liner"\n').out, 'did you mean "nn.Linear"?')
end

function TestRepl:test_the_last_line_may_lack_its_end()
  gives(self:repl "1\n2", "1\n2\n")
  gives(self:repl "", "")
  gives(self:repl "for i = 1, 2 do\n", "", "'end' expected near <eof>\n")
end

function TestRepl:test_a_file_as_input()
  command.write(self.dir .. "/input", "1\n2\n")
  local result = command.shell(self.dir, '"$@" <input', { "repl" })
  gives(result, "1\n2\n")
end

--- Types at a terminal of its own, then reads what is there.
local TYPIST = [[
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execvp(sys.argv[1], sys.argv[1:])
out = b""
def read(until):
    global out
    end = time.time() + 20
    begun = len(out)
    while time.time() < end and until not in out[begun:]:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                out += os.read(fd, 4096)
            except OSError:
                return
def type(text, until):
    os.write(fd, text)
    read(until)
read(b"> ")
type(b"6 * 7\n", b"42\r\n> ")
type(b"given up\x03", b"\n> ")
type(b"for i = 1, 2 do\n", b">> ")
type(b"\x03", b"\n> ")
os.write(fd, b"while true do end\n")
time.sleep(0.5)
type(b"\x03", b"\n> ")
type(b"5 * 11\n", b"55\r\n> ")
type(b"\x04", b"never")
print(out.decode().replace("\r", ""))
sys.exit(os.waitpid(pid, 0)[1])
]]

function TestRepl:test_ctrl_c_at_a_terminal()
  if not process.find "python3" then lu.skip "there is no python3" end
  command.write(self.dir .. "/typist.py", TYPIST)
  local result = command.shell(self.dir, 'python3 typist.py "$@"', { "repl" })
  lu.assert_equals(result.code, 0, result.out .. result.err)
  for _, part in ipairs { "42\n", ">> ^C\n> ", "interrupted\n> 5 * 11\n55\n" } do
    lu.assert_str_contains(result.out, part)
  end
end
