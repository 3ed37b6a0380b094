/* rt_isa_spin_plane.c: one square lattice with couplings +-J and no fields, a bit for each spin, 512 spins of a colour at a time.
 *
 * Spins are coloured like a checkerboard, colour (x + y) mod 2.  Spin (x, y) is spin k = x/2 of its colour in its row; that is bit k % 64 of word k/64.  The
 * rows are cut into 8 bands of H = height/8, one for each 64-bit lane of a vector: row y is row y % H of lane y/H.  So vectors are numbered
 * [colour][row of a band][word of a row], and the neighbours of a whole vector are
 *
 *     above, below   the same word of the other colour in the rows before and after (in the next lane at a band's end)
 *     one side       the same word of the other colour in the same row
 *     other side     that moved by one bit, with the bit that enters from the word beside it: to x - 1 where (y + colour) is even, to x + 1 where it is odd
 *
 * With all four bonds a flip costs 2 K, K in {-4, -2, 0, 2, 4}; where bonds are missing (open edges, bonds of 0) K may be odd. */
#include "stdlib/runtime/rt_isa_spin_bits.h"

typedef struct plane {
  size_t rows, words; /* of a band, of a row and colour */
  int wrap_x, wrap_y;
  const rt_vw *negative, *missing; /* [vector][4]: up, down, same word, moved; or NULL */
  uint64_t sign;                   /* all ones where all couplings are negative and `negative` is NULL */
  rt_vw *spin;
} plane;

static plane plane_of(const rt_spin_run *run, size_t r)
{
  const rt_spin_problem *p = &run->model->p;
  return (plane){p->height / 8, p->width / 128, p->wrap_x, p->wrap_y, run->model->plane_negative, run->model->plane_missing,
                 p->coupling < 0 ? ~(uint64_t)0 : 0, rt_spins_plane(run, r)};
}

/* Lane l of the result is lane l - 1 or l + 1 of x, around the end. */
RT_INLINE rt_vw next_lane(rt_vw x, int up)
{
  return up ? (rt_vw){x[7], x[0], x[1], x[2], x[3], x[4], x[5], x[6]} : (rt_vw){x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[0]};
}

/* The neighbours of vector (colour, row, word).  Beyond an open edge they are whatever is on the other side: those bonds are `missing`. */
RT_INLINE void neighbours(const plane *p, int colour, size_t row, size_t word, rt_vw *up, rt_vw *down, rt_vw *same, rt_vw *moved)
{
  size_t words = p->words;
  const rt_vw *other = p->spin + (size_t)(1 - colour) * p->rows * words, *line = other + row * words;
  *up = row ? line[word - words] : next_lane(other[(p->rows - 1) * words + word], 1);
  *down = row + 1 < p->rows ? line[word + words] : next_lane(other[word], 0);
  *same = line[word];
  if ((row + (size_t)colour) % 2 == 0) *moved = line[word] << 1 | line[word ? word - 1 : words - 1] >> 63;
  else *moved = line[word] >> 1 | line[word + 1 < words ? word + 1 : 0] << 63;
}

RT_INLINE rt_vw part_of(const rt_vw *of, size_t at, uint64_t otherwise)
{
  if (of) return of[at];
  return rt_vw_all(otherwise);
}

/* Which bonds are unsatisfied. */
RT_INLINE void unsatisfied(const plane *p, int colour, size_t row, size_t word, rt_vw x[4])
{
  size_t at = ((size_t)colour * p->rows + row) * p->words + word;
  rt_vw s = p->spin[at], nb[4];
  neighbours(p, colour, row, word, &nb[0], &nb[1], &nb[2], &nb[3]);
  for (int k = 0; k < 4; k++) x[k] = rt_xor3(s, nb[k], part_of(p->negative, 4 * at + (size_t)k, p->sign));
}

typedef struct digits {
  uint8_t pattern[RT_SPIN_BITS_FIRST]; /* from the highest digit down; bit 0: digit of the threshold of K = 4, bit 1: of K = 2 */
  uint32_t threshold[9];         /* of K + 4 */
  int metropolis;
} digits;

static uint64_t ones(rt_vw x)
{
  uint64_t c = 0;
  for (int l = 0; l < 8; l++) c += (uint64_t)__builtin_popcountll(x[l]);
  return c;
}

/* Flips are counted eight vectors at a time: by full adders into ones, twos and fours, and eights by their bits. */
typedef struct counter {
  rt_vw mask[8], low[3];
  size_t at;
  uint64_t eights;
} counter;

RT_INLINE void count_mask(counter *c, rt_vw mask)
{
  c->mask[c->at++] = mask;
  if (c->at < 8) return;
  rt_vw two[2], four[2], eight, *low = c->low, *m = c->mask;
  for (int h = 0; h < 2; h++, m += 4) {
    RT_FULL_ADD(low[0], two[0], m[0], m[1]);
    RT_FULL_ADD(low[0], two[1], m[2], m[3]);
    RT_FULL_ADD(low[1], four[h], two[0], two[1]);
  }
  RT_FULL_ADD(low[2], eight, four[0], four[1]);
  c->eights += ones(eight);
  c->at = 0;
}

static uint64_t counted(const counter *c)
{
  uint64_t sum = 8 * c->eights + 4 * ones(c->low[2]) + 2 * ones(c->low[1]) + ones(c->low[0]);
  for (size_t k = 0; k < c->at; k++) sum += ones(c->mask[k]);
  return sum;
}

/* Metropolis with all four bonds: two classes. */
static uint64_t half_sweep_full(const plane *p, int colour, const digits *d, rt_streams *random)
{
  rt_streams q = *random;
  counter flips = {.at = 0};
  size_t base = (size_t)colour * p->rows * p->words;
  for (size_t row = 0; row < p->rows; row++)
    for (size_t word = 0; word < p->words; word++) {
      rt_vw x[4], *s = p->spin + base + row * p->words + word;
      unsatisfied(p, colour, row, word, x);
      rt_vw carry = rt_majority(x[0], x[1], x[2]), odd = rt_xor3(x[0], x[1], x[2]), two = carry ^ (odd & x[3]);
      odd ^= x[3];
      rt_vw t[4] = {rt_vw_all(0), ~(rt_or3(x[0], x[1], x[2]) | x[3]), odd & ~two};
      t[3] = t[1] | t[2];
      rt_vw less = rt_vw_all(0), open = t[3];
#define DIGIT(j) t[d->pattern[j]]
      RT_FIRST_DIGITS(DIGIT, less, open, &q);
#undef DIGIT
      RT_LAST_DIGITS(less, open, &odd, 1, d->threshold + 8, -2, &q);
      rt_vw flip = less | ~t[3];
      *s ^= flip;
      count_mask(&flips, flip);
    }
  *random = q;
  return counted(&flips);
}

/* Digit j of the thresholds, 0 the highest, by masks of K + 4. */
RT_INLINE rt_vw digit_of(const digits *d, const rt_vw mask[9], int j)
{
  rt_vw digit = rt_vw_all(0);
  for (int v = d->metropolis ? 5 : 0; v < 9; v++)
    if (d->threshold[v] >> (RT_SPIN_BITS - 1 - j) & 1) digit |= mask[v];
  return digit;
}

/* Any rule and any bonds: K + 4 is the number of satisfied bonds twice and missing ones once. */
static uint64_t half_sweep_any(const plane *p, int colour, const digits *d, rt_streams *random)
{
  uint64_t flips = 0;
  size_t base = (size_t)colour * p->rows * p->words;
  for (size_t row = 0; row < p->rows; row++)
    for (size_t word = 0; word < p->words; word++) {
      size_t at = base + row * p->words + word;
      rt_vw x[4], count[4] = {{0}}, mask[9], some = rt_vw_all(0), sure = rt_vw_all(0);
      unsatisfied(p, colour, row, word, x);
      for (size_t k = 0; k < 4; k++) {
        rt_vw gone = part_of(p->missing, 4 * at + k, 0), add[2] = {~x[k] & ~gone, ~x[k] | gone};
        for (int a = 0; a < 2; a++)
          for (int b = 0; b < 4; b++) {
            rt_vw c = count[b] & add[a];
            count[b] ^= add[a];
            add[a] = c;
          }
      }
      for (int v = 0; v < 9; v++) {
        mask[v] = rt_vw_all(~(uint64_t)0);
        for (int b = 0; b < 4; b++) mask[v] &= count[b] ^ rt_vw_all(v >> b & 1 ? 0 : ~(uint64_t)0);
        if (d->metropolis && v <= 4) sure |= mask[v];
        else some |= mask[v];
      }
      rt_vw less = rt_vw_all(0), open = some;
#define DIGIT(j) digit_of(d, mask, j)
      RT_FIRST_DIGITS(DIGIT, less, open, random);
#undef DIGIT
      RT_LAST_DIGITS(less, open, count, 4, d->threshold, 1, random);
      rt_vw flip = less | sure;
      p->spin[at] ^= flip;
      flips += ones(flip);
    }
  return flips;
}

void RT_LV(rt_spin_sweep_plane)(rt_spin_run *run, double beta, double floor)
{
  digits d = {.metropolis = run->plan.rule != RT_SPIN_HEAT_BATH};
  for (int v = 0; v < 9; v++)
    d.threshold[v] = rt_threshold(rt_spin_acceptance(run->plan.rule, v == 4 ? 0.0 : 2.0 * beta * run->model->unit * (v - 4), floor));
  for (int j = 0; j < RT_SPIN_BITS_FIRST; j++)
    d.pattern[j] = (uint8_t)((d.threshold[8] >> (RT_SPIN_BITS - 1 - j) & 1) | (d.threshold[6] >> (RT_SPIN_BITS - 1 - j) & 1) << 1);
  for (size_t r = 0; r < run->plan.replicas; r++) {
    plane p = plane_of(run, r);
    rt_streams q = rt_streams_start(run->plan.key, run->plan.first_replica + r, run->sweep);
    for (int colour = 0; colour < 2; colour++)
      run->flips[r] += d.metropolis && !p.missing ? half_sweep_full(&p, colour, &d, &q) : half_sweep_any(&p, colour, &d, &q);
  }
}

/* Every bond is one of a spin of colour 0. */
void RT_LV(rt_spin_energy_plane)(const rt_spin_run *run, size_t r)
{
  plane p = plane_of(run, r);
  int64_t sum = 0;
  for (size_t row = 0; row < p.rows; row++)
    for (size_t word = 0; word < p.words; word++) {
      rt_vw x[4];
      unsatisfied(&p, 0, row, word, x);
      for (size_t k = 0; k < 4; k++) {
        rt_vw gone = part_of(p.missing, 4 * (row * p.words + word) + k, 0);
        sum += 2 * (int64_t)ones(x[k] & ~gone) - (512 - (int64_t)ones(gone));
      }
    }
  run->energy[r] = run->model->unit * (double)sum;
}
