/* replay.c: runs a fuzz target without a fuzzer on each file of the folders named on the command
 * line, so that faults found once are tested for ever. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

enum { LARGEST = 1 << 20 };

static int replay_file(const char *folder, const char *name) {
  static uint8_t bytes[LARGEST];
  char path[4096];
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "rb");
  if (f == NULL) return 0;
  size_t n = fread(bytes, 1, sizeof bytes, f);
  (void)fclose(f);
  uint8_t *exact = malloc(n + (n == 0)); /* so that reading beyond it is seen */
  if (exact == NULL) return 0;
  for (size_t i = 0; i < n; i++) exact[i] = bytes[i];
  (void)LLVMFuzzerTestOneInput(exact, n);
  free(exact);
  return 1;
}

static int replay_folder(const char *folder) {
  int n = 0;
  DIR *d = opendir(folder);
  for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
    if (e->d_name[0] != '.') n += replay_file(folder, e->d_name);
  }
  if (d != NULL) (void)closedir(d);
  return n;
}

int main(int argc, char **argv) {
  int n = 0;
  for (int i = 1; i < argc; i++) n += replay_folder(argv[i]);
  printf("%d inputs\n", n);
  return n == 0;
}
