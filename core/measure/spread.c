/* spread.c: errors of weighted means, from differences of neighbours in time. */
#include "measure/spread.h"

#include <math.h>
#include <string.h>

static const double ROUNDING = 1e-9; /* of sums of weights */

/* Means of a and b, in units, over cells of this weight; weight 0: there are none. */
typedef struct means {
  double weight, a, b;
} means;

typedef struct row {
  int n;
  means cell[SW_RECENT_CELLS], all;
} row;

static void add(means *m, const means *next) {
  if (m->weight == 0) {
    *m = *next;
    return;
  }
  m->weight += next->weight;
  const double share = next->weight / m->weight;
  m->a += share * (next->a - m->a);
  m->b += share * (next->b - m->b);
}

/* The cells in units that are set here: the largest magnitudes. */
static void read_cells(const sw_recent *w, row *r, sw_spread *unit) {
  for (int i = 0; i < w->cells; i++) {
    unit->a_unit = fmax(unit->a_unit, fabs(w->cell[i].a));
    unit->b_unit = fmax(unit->b_unit, fabs(w->cell[i].b));
  }
  if (unit->a_unit == 0) unit->a_unit = 1;
  if (unit->b_unit == 0) unit->b_unit = 1;
  r->n = w->cells;
  r->all = (means){0};
  for (int i = 0; i < r->n; i++) {
    const sw_recent_cell *c = &w->cell[i];
    r->cell[i] = (means){c->weight, c->a / unit->a_unit, c->b / unit->b_unit};
    add(&r->all, &r->cell[i]);
  }
}

/* The cells next to cell i on one side that weigh as much together; none if there are too few. */
static means side_of(const row *r, int i, int step) {
  means m = {0}, none = {0};
  const double enough = r->cell[i].weight * (1 - ROUNDING);
  for (int j = i + step; j >= 0 && j < r->n && m.weight < enough; j += step) add(&m, &r->cell[j]);
  return m.weight < enough ? none : m;
}

/* A cell's part of the covariance, and of the third cumulant of b. */
typedef struct part {
  double aa, ab, bb, bbb;
} part;

/* Adds a cell's difference to other means, and returns that of b. */
static double compare(const means *cell, const means *other, double scale, part *p) {
  if (other->weight == 0) return 0;
  const double a = cell->a - other->a, b = cell->b - other->b;
  const double f = scale * other->weight / (other->weight + cell->weight);
  p->aa += f * a * a;
  p->ab += f * a * b;
  p->bb += f * b * b;
  return b;
}

/* A cell beside all others: x - y = (x - mean) / (1 - share). */
static part beside_all(const means *cell, const means *all) {
  const double others = all->weight - cell->weight, square = cell->weight / all->weight;
  part p = {0};
  if (others <= 0) return p;
  const double scale = all->weight / others;
  const means rest = {others, cell->a - scale * (cell->a - all->a),
                      cell->b - scale * (cell->b - all->b)};
  compare(cell, &rest, square * square, &p);
  return p;
}

static part part_of(const row *r, int i) {
  const means *cell = &r->cell[i], before = side_of(r, i, -1), after = side_of(r, i, 1);
  if (before.weight == 0 && after.weight == 0) return beside_all(cell, &r->all);
  const double share = cell->weight / r->all.weight, square = share * share;
  const double scale = before.weight > 0 && after.weight > 0 ? square / 2 : square;
  part p = {0};
  const double x = compare(cell, &before, scale, &p), y = compare(cell, &after, scale, &p);
  p.bbb = share * square * x * y * (x + y) / 2;
  return p;
}

/* Of normal numbers a term's square is on average three times the square of its mean. */
static double freedom_of(double equal, double sum, double squares) {
  const double found = squares > 0 ? 3 * sum * sum / squares : HUGE_VAL;
  return fmax(1, (2 * fmin(equal, found) - 1) / 3);
}

void sw_spread_of(const sw_recent *w, sw_spread *out) {
  row r;
  double shares = 0, sum = 0, squares = 0;
  *out = (sw_spread){0};
  read_cells(w, &r, out);
  sw_ratio *m = &out->mean;
  m->a = r.all.a;
  m->b = r.all.b;
  const double b = fmax(m->b, 0); /* the errors of a - R b at R = a / b, times b */
  for (int i = 0; i < r.n; i++) {
    const part p = part_of(&r, i);
    const double share = r.cell[i].weight / r.all.weight;
    const double term = b * b * p.aa - 2 * m->a * b * p.ab + m->a * m->a * p.bb;
    m->vaa += p.aa;
    m->vab += p.ab;
    m->vbb += p.bb;
    out->third += p.bbb;
    shares += share * share;
    sum += term;
    squares += term * term;
  }
  out->freedom = freedom_of(1 / shares, sum, squares);
}

/* -------------------------------------------------------------- as numbers */

void sw_spread_save(const sw_spread *s, double x[SW_SPREAD_NUMBERS]) {
  const sw_ratio *m = &s->mean;
  const double values[SW_SPREAD_NUMBERS] = {m->a,      m->b,      m->vaa,   m->vab,    m->vbb,
                                            s->a_unit, s->b_unit, s->third, s->freedom};
  memcpy(x, values, sizeof values);
}

int sw_spread_load(sw_spread *s, const double x[SW_SPREAD_NUMBERS]) {
  *s = (sw_spread){{x[0], x[1], x[2], x[3], x[4]}, x[5], x[6], x[7], x[8]};
  for (int i = 0; i < SW_SPREAD_NUMBERS; i++)
    if (!isfinite(x[i])) return 0;
  return s->mean.vaa >= 0 && s->mean.vbb >= 0 && s->a_unit > 0 && s->b_unit > 0 && s->freedom >= 1;
}
