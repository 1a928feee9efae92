-- A small transformer on characters: it learns a text and then continues a piece of it.
--
--   swale run experiments/char_lm.lua [file=TEXT] [epochs=12] [size=96] [temperature=0.8]
--
-- Without a file it learns the licences that Debian has in /usr/share/common-licenses, 137 kB of
-- English. It takes a minute or two on two cores. It prints bits a character: 6.5 for a uniform
-- guess, 4.5 for the frequencies of the characters, about 2 once it has learned words.
local sw = require "swale"

local FOLDER = "/usr/share/common-licenses/"
local LICENCES = { "GPL-2", "GPL-3", "LGPL-2.1", "GFDL-1.3", "Artistic", "Apache-2.0", "MPL-2.0" }

local function read(path)
  local handle <close> = io.open(path)
  if handle then return handle:read "a" end
  error(("there is no %s on this machine: give any text as file=TEXT"):format(path), 0)
end

--- The text as one string. Its end, which is the validation set, is a licence of its own.
local function text_of(run, file)
  if file ~= "" then return read(file) end
  run:print("text: the licences in %s; file=TEXT uses another", FOLDER)
  local parts = {}
  for i, name in ipairs(LICENCES) do parts[i] = read(FOLDER .. name) end
  return table.concat(parts)
end

--- Draws a class, from 0, with the given probabilities.
local function draw(stream, p)
  local u, c = stream:uniform(), 1
  while c < #p and u >= p:get(c) do
    u, c = u - p:get(c), c + 1
  end
  return c - 1
end

--- Continues a beginning by n characters, each drawn from softmax(logits / temperature) and then
--- part of the input.
local function continue(model, data, beginning, o)
  local stream, chars, n = sw.random(o.seed, "sample"), beginning:table(), #beginning
  for i = n + 1, n + o.n do
    local seen = table.move(chars, i - n, i - 1, 1, {})
    local logits = model:forward(sw.tensor({ seen }, "int32")):select(2, n)
    chars[i] = draw(stream, (logits * (1 / o.temperature)):softmax():reshape { -1 })
  end
  return data:decode(table.move(chars, n + 1, n + o.n, 1, {}))
end

return sw.experiment {
  name = "char_lm",
  params = { file = "", epochs = 12, batch = 16, lr = 0.003, length = 64, layers = 3, heads = 4,
    size = 96, dropout = 0.1, temperature = 0.8, sample = 400 },

  run = function(run, p)
    local data = sw.data.text(text_of(run, p.file), { length = p.length, stride = p.length // 2 })
    run:print("data: %s, %d different characters", data, data.vocabulary)
    local trainer = sw.Trainer {
      model = sw.zoo.char_transformer { vocabulary = data.vocabulary, length = p.length,
        layers = p.layers, heads = p.heads, size = p.size, dropout = p.dropout },
      data = data, batch_size = p.batch, clip_norm = 1,
      optimizer = sw.optim.AdamW { weight_decay = 0.1 },
      lr = sw.schedule.one_cycle { max = p.lr, to = p.lr / 100, fraction = 0.1,
        period = { epochs = p.epochs } },
    }
    local bits
    trainer:on("epoch", function(s, _, line)
      bits = line.valid_loss / math.log(2)
      run:print("epoch %2.0f: %.3f bits a character on valid", s.epoch, bits)
    end)
    trainer:fit { epochs = p.epochs, run = run }

    run:plot()
    run:summary { valid_bits = bits }
    local beginning = data.valid.x:select(1, 1)
    run:print("\n%s [the model continues:] %s", data:decode(beginning),
      continue(trainer.model, data, beginning, { n = p.sample, temperature = p.temperature,
        seed = run.seed }))
  end,
}
