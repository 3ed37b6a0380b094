/* interp_dispatch.h: the loop that runs instructions.  interp_run.c includes it once for each instruction-set level, with
 * INTERP_RUN the name and attributes of the function to define.  Scalars are computed here, larger things called. */

#define OP(x) L_##x:
#define GO                                        \
  do {                                            \
    in++;                                         \
    goto *label[in->op];                          \
  } while (0)
#define D c[in->d]
#define A c[in->a]
#define B c[in->b]
#define C c[in->c]
#define PD p[in->d]
#define PA p[in->a]
#define PB p[in->b]
#define PC p[in->c]
#define SA (in->s & 1)
#define SB (in->s >> 1 & 1)
#define SC (in->s >> 2 & 1)
#define JUMP(x) \
  do {          \
    in = code + (x); \
    goto *label[in->op]; \
  } while (0)
#define WRAP(x, op, y) ((int64_t)((uint64_t)(x)op(uint64_t)(y)))

INTERP_RUN(interp_run *r) {
  static const void *const label[I_COUNT] = {
#define X(CODE, name) &&L_R##CODE,
    INTERP_REAL1(X) INTERP_REAL2(X)
#undef X
#define X(CODE) &&L_##CODE,
    INTERP_CODES(X)
#undef X
  };
  const interp_ins *const code = r->fn->code, *in = code;
  const rt_kernels *const k = r->k;
  cell *const c = r->c;
  cell **const p = r->p;
  int64_t vn = 1;
  goto *label[in->op];

#define X(CODE, name) OP(R##CODE) D.real = rt_##name(A.real); GO;
  INTERP_REAL1(X)
#undef X
  OP(RADD) D.real = A.real + B.real; GO;
  OP(RSUB) D.real = A.real - B.real; GO;
  OP(RMUL) D.real = A.real * B.real; GO;
  OP(RDIV) D.real = A.real / B.real; GO;
  OP(RMIN) D.real = rt_min(A.real, B.real); GO;
  OP(RMAX) D.real = rt_max(A.real, B.real); GO;
  OP(RPOW) D.real = rt_pow(A.real, B.real); GO;
  OP(RATAN2) D.real = rt_atan2(A.real, B.real); GO;
  OP(RFMA) D.real = __builtin_fma(A.real, B.real, C.real); GO;

  OP(SPECIAL) in->u.special(&D.real, &A.real, 0, &B.real, 0, &C.real, 0, 1); GO;

  OP(RET) return EXEC_OK;
  OP(MOV) D = A; GO;
  OP(IADD) D.integer = WRAP(A.integer, +, B.integer); GO;
  OP(ISUB) D.integer = WRAP(A.integer, -, B.integer); GO;
  OP(IMUL) D.integer = WRAP(A.integer, *, B.integer); GO;
  OP(IDIV) k->ibin[RT_IFLOORDIV](&D.integer, &A.integer, 0, &B.integer, 0, 1); GO;
  OP(IMOD) k->ibin[RT_IMOD](&D.integer, &A.integer, 0, &B.integer, 0, 1); GO;
  OP(INEG) D.integer = WRAP(0, -, A.integer); GO;
  OP(IABS) D.integer = A.integer < 0 ? WRAP(0, -, A.integer) : A.integer; GO;
  OP(IMIN) D.integer = A.integer < B.integer ? A.integer : B.integer; GO;
  OP(IMAX) D.integer = A.integer > B.integer ? A.integer : B.integer; GO;
  OP(IMADD) D.integer = A.integer * in->u.i + B.integer; GO;
  OP(REQ) D.integer = A.real == B.real; GO;
  OP(RNE) D.integer = A.real != B.real; GO;
  OP(RLT) D.integer = A.real < B.real; GO;
  OP(RLE) D.integer = A.real <= B.real; GO;
  OP(IEQ) D.integer = A.integer == B.integer; GO;
  OP(INE) D.integer = A.integer != B.integer; GO;
  OP(ILT) D.integer = A.integer < B.integer; GO;
  OP(ILE) D.integer = A.integer <= B.integer; GO;
  OP(AND) D.integer = A.integer != 0 && B.integer != 0; GO;
  OP(OR) D.integer = A.integer != 0 || B.integer != 0; GO;
  OP(NOT) D.integer = A.integer == 0; GO;
  OP(SELECT) D = A.integer ? B : C; GO;
  OP(TO_REAL) D.real = (double)A.integer; GO;
  OP(TO_INT) k->real_to_int(&D.integer, &A.real, 1); GO;
  OP(GUARD) {
    if (A.integer) D = B;
    else {
      D.real = -__builtin_inf();
      if (!r->guarded) r->guarded = true, r->report.guard_where = r->fn->where[in - code];
      r->report.guards += (uint64_t)vn; /* one that all lanes share stands for each of them */
    }
    GO;
  }
  OP(BOUND) {
    if ((uint64_t)A.integer >= (uint64_t)B.integer || B.integer < 0) {
      r->report.where = r->fn->where[in - code];
      r->report.index = A.integer;
      r->report.extent = B.integer;
      return EXEC_BOUND;
    }
    GO;
  }
  OP(FOLD) D.integer = (int64_t)rt_key_fold((uint64_t)A.integer, (uint64_t)B.integer); GO;
  OP(DRAW) {
    cell param[2] = {C, c[in->u.i & 0xffffffff]};
    D = interp_draw_one((int)in->x, in->u.i >> 32, A.integer, B.integer, param);
    GO;
  }
  OP(CATEGORICAL) {
    rt_draw_addr at = {(uint64_t)A.integer, (uint32_t)in->u.i, (uint64_t)B.integer};
    D.integer = rt_draw_categorical(at, &PC->real, c[in->x].integer);
    GO;
  }

  OP(LOADK) D = PA[in->u.i]; GO;
  OP(LOAD) D = PA[B.integer]; GO;
  OP(LOAD2) D = PA[B.integer * in->u.i + C.integer]; GO;
  OP(STORE) PD[B.integer] = A; GO;
  OP(ADDTO) PD[B.integer].real += A.real; GO;
  OP(IADDTO) PD[B.integer].integer = WRAP(PD[B.integer].integer, +, A.integer); GO;
  OP(VIEW) PD = PA + B.integer * in->u.i; GO;
  OP(COPY) if (PD != PA) __builtin_memmove(PD, PA, (size_t)in->u.i * sizeof(cell)); GO;
  OP(ZERO) __builtin_memset(PD, 0, (size_t)in->u.i * sizeof(cell)); GO;
  OP(FILL) k->fill(&PD->real, A.real, in->u.i); GO;
  OP(SLICE) interp_slice_load(in->u.shape, PD, PA + B.integer); GO;
  OP(PLACE) interp_slice_store(in->u.shape, PD + B.integer, PA); GO;
  OP(PLACEADD) interp_slice_add(in->u.shape, PD + B.integer, PA, false); GO;
  OP(IPLACEADD) interp_slice_add(in->u.shape, PD + B.integer, PA, true); GO;
  OP(KEYLIST) interp_keys_add(in->u.shape, p, PD, PA, in->flag ? 1 : vn); GO;
  OP(IKBIN) in->u.ibin(&PD->integer, &PA->integer, 1, &PB->integer, 1, C.integer); GO;
  OP(KBIN) in->u.bin(&PD->real, &PA->real, 1, &PB->real, 1, C.integer); GO;

  OP(JMP) JUMP(in->x);
  OP(JZ) if (!A.integer) JUMP(in->x); GO;
  OP(LOOP) D.integer = 0; if (A.integer <= 0) JUMP(in->x); GO;
  OP(NEXT) if (++D.integer < A.integer) JUMP(in->x); GO;
  OP(LOOPDN) D.integer = A.integer - 1; if (D.integer < 0) JUMP(in->x); GO;
  OP(NEXTDN) if (--D.integer >= 0) JUMP(in->x); GO;
  OP(INC) D.integer++; GO;
  OP(BLOCK) {
    D.integer = 0;
    if (A.integer <= 0) JUMP(in->x);
    vn = A.integer < in->u.i ? A.integer : in->u.i;
    GO;
  }
  OP(BLOCKNEXT) {
    D.integer += in->u.i;
    if (D.integer < A.integer) {
      vn = A.integer - D.integer < in->u.i ? A.integer - D.integer : in->u.i;
      JUMP(in->x);
    }
    vn = 1;
    GO;
  }

  OP(SUM0) ((interp_sum *)(void *)PD)->count = ((interp_sum *)(void *)PD)->blocks = 0; GO;
  OP(SUMPUSH) {
    interp_sum *s = (interp_sum *)(void *)PD;
    if (s->count == RT_SUM_BLOCK) interp_sum_flush(s);
    double *acc = &s->acc[s->count % RT_SUM_LANES];
    *acc = s->count++ < RT_SUM_LANES ? 0.0 + A.real : *acc + A.real;
    GO;
  }
  OP(SUMEND) D.real = interp_sum_value((interp_sum *)(void *)PA); GO;
  OP(CSUM0) interp_csum_start(in->u.shape, PD); GO;
  OP(CSUMPUSH) interp_csum_push(in->u.shape, k, PD, PA, vn); GO;
  OP(CSUMEND) interp_csum_value(in->u.shape, k, PD, PA, vn); GO;

  OP(LSUM0) for (uint32_t j = 0; j < in->x; j++) rt_summer_init((rt_summer *)(void *)PD + j); GO;
  OP(LSUMPUSH) {
    for (uint32_t j = 0; j < in->x; j++) {
      const double *row = &PA[(int64_t)j * in->u.i].real;
      if (!in->s) k->fill(&PC->real, *row, vn), row = &PC->real;
      k->sum_push((rt_summer *)(void *)PD + j, row, vn);
    }
    GO;
  }
  OP(LSUMEND) for (uint32_t j = 0; j < in->x; j++) PD[j].real = rt_summer_value((rt_summer *)(void *)PA + j); GO;
  OP(LSUM1) {
    for (uint32_t j = 0; j < in->x; j++) {
      const double *row = &PA[(int64_t)j * in->u.i].real;
      if (!in->s) k->fill(&PC->real, *row, vn), row = &PC->real;
      PD[j].real = k->sum(row, vn);
    }
    GO;
  }
  OP(LSUMC) D.real = k->sum(&PA->real, vn); GO;
  OP(LMAX) for (uint32_t j = 0; j < in->x; j++) PD[j].real = rt_fold_max(PD[j].real, &PA[(int64_t)j * in->u.i].real, in->s ? vn : 1); GO;
  OP(LMIN) for (uint32_t j = 0; j < in->x; j++) PD[j].real = rt_fold_min(PD[j].real, &PA[(int64_t)j * in->u.i].real, in->s ? vn : 1); GO;

  OP(DOT) D.real = k->dot(&PA->real, 1, &PB->real, 1, in->u.i); GO;
  OP(GEMV) {
    const interp_mat *m = in->u.shape;
    k->gemv(&PD->real, &PA->real, &PB->real, m->m, m->n, m->ta);
    GO;
  }
  OP(OUTER) {
    const interp_mat *m = in->u.shape;
    for (int64_t i = 0; i < m->m; i++) k->bin[RT_MUL](&PD[i * m->n].real, &PA[i].real, 0, &PB->real, 1, m->n);
    GO;
  }
  OP(GEMM) {
    const interp_mat *m = in->u.shape;
    k->gemm(&PD->real, &PA->real, &PB->real, m->m, m->n, m->k, m->ta, m->tb);
    GO;
  }
  OP(CHOLESKY) if (k->cholesky(&PD->real, &PA->real, in->u.i)) k->fill(&PD->real, __builtin_nan(""), in->u.i * in->u.i); GO;
  OP(CHOL_ADJ) k->cholesky_adjoint(&PD->real, &PA->real, &PB->real, in->u.i); GO;
  OP(TRISOLVE) {
    const interp_mat *m = in->u.shape;
    k->solve_lower(&PD->real, &PA->real, &PB->real, m->m, m->n, m->ta);
    GO;
  }
  OP(QR_R) {
    const interp_mat *m = in->u.shape;
    k->copy(&PD->real, &PA->real, m->n * m->n);
    k->qr_rows(&PD->real, &PB->real, m->m, m->n, &PC->real);
    GO;
  }
  OP(INV_PTR) interp_inverse(PD, NULL, PA, in->u.i, C.integer); GO;
  OP(INV_LIST) interp_inverse(PB, PD, PA, in->u.i, C.integer); GO;

  OP(V_UN) in->u.un(&PD->real, &PA->real, vn); GO;
  OP(V_BIN) in->u.bin(&PD->real, &PA->real, SA, &PB->real, SB, vn); GO;
  OP(V_CMP) in->u.cmp(&PD->integer, &PA->real, SA, &PB->real, SB, vn); GO;
  OP(V_IUN) in->u.iun(&PD->integer, &PA->integer, vn); GO;
  OP(V_IBIN) in->u.ibin(&PD->integer, &PA->integer, SA, &PB->integer, SB, vn); GO;
  OP(V_FMA) k->fma(&PD->real, &PA->real, SA, &PB->real, SB, &PC->real, SC, vn); GO;
  /* PB and PC are NULL where a function has fewer arguments: converted, since NULL has no member. */
  OP(V_SPECIAL) in->u.special(&PD->real, &PA->real, SA, (const double *)(const void *)PB, SB, (const double *)(const void *)PC, SC, vn); GO;
  OP(V_SELECT) k->select(&PD->real, &PA->integer, SA, &PB->real, SB, &PC->real, SC, vn); GO;
  OP(V_I2R) k->int_to_real(&PD->real, &PA->integer, vn); GO;
  OP(V_R2I) k->real_to_int(&PD->integer, &PA->real, vn); GO;
  OP(V_MOV) {
    if (!SA) k->ifill(&PD->integer, PA->integer, vn);
    else if (PD != PA) k->copy(&PD->real, &PA->real, vn);
    GO;
  }
  OP(V_IOTA) k->iota(&PD->integer, A.integer, in->u.i, vn); GO;
  OP(V_UNFLAT) {
    int64_t i[IR_MAX_RANK], e = A.integer;
    const cell *extent = &B;
    for (uint32_t q = in->x; q-- > 0; e /= extent[q].integer) i[q] = e % extent[q].integer;
    for (int64_t l = 0; l < vn; l++) {
      for (uint32_t q = 0; q < in->x; q++) p[in->d + q][l].integer = i[q];
      for (uint32_t q = in->x; q-- > 0 && ++i[q] == extent[q].integer;) i[q] = 0;
    }
    GO;
  }
  OP(V_IMADD) {
    int64_t *d = &PD->integer, u = in->u.i;
    const int64_t *a = &PA->integer, *b = &PB->integer;
    if (SA && SB) for (int64_t l = 0; l < vn; l++) d[l] = a[l] * u + b[l];
    else if (SA) for (int64_t l = 0, y = *b; l < vn; l++) d[l] = a[l] * u + y;
    else for (int64_t l = 0, x = *a * u; l < vn; l++) d[l] = x + b[l];
    GO;
  }
  OP(V_STRIDED) k->load_strided(&PD->real, &PA[B.integer].real, in->u.i, vn); GO;
  OP(V_GATHER) k->gather(&PD->real, &PA->real, &PB->integer, vn); GO;
  OP(V_SLICE) interp_lane_slice(in->u.shape, PD, PA, &PB->integer, SB, vn); GO;
  OP(V_PLACE) interp_lane_place(in->u.shape, PD, PA, &PB->integer, SB, vn); GO;
  OP(V_SCATTER) k->scatter(&PD->real, &PB->integer, &PA->real, SA, vn); GO;
  OP(V_SCATTER_ADD) k->scatter_add(&PD->real, &PB->integer, &PA->real, SA, vn); GO;
  OP(V_ROWS) {
    const int64_t row = in->u.i, rs = c[in->b].integer;
    for (uint32_t j = 0; j < in->x; j++) {
      if (!in->s) k->ifill(&PD[j * row].integer, PA[j * rs].integer, vn);
      else if (PD != PA) k->copy(&PD[j * row].real, &PA[j * rs].real, vn);
    }
    GO;
  }
  OP(V_GUARD) {
    static const double outside = -__builtin_inf();
    const int64_t *ok = &PA->integer;
    int64_t failed = 0;
    if (SA) for (int64_t l = 0; l < vn; l++) failed += ok[l] == 0;
    else failed = *ok ? 0 : vn;
    if (failed) {
      if (!r->guarded) r->guarded = true, r->report.guard_where = r->fn->where[in - code];
      r->report.guards += (uint64_t)failed;
    }
    k->select(&PD->real, ok, SA, &PB->real, SB, &outside, 0, vn);
    GO;
  }
  OP(V_BOUND) {
    const int64_t *a = &PA->integer, *b = &PB->integer;
    if (SA && !SB && *b >= 0) { /* the usual case without a branch for each lane */
      uint64_t outside = 0, n = (uint64_t)*b;
      for (int64_t l = 0; l < vn; l++) outside |= (uint64_t)a[l] >= n;
      if (!outside) GO;
    }
    for (int64_t l = 0; l < vn; l++) {
      int64_t i = a[l * SA], n = b[l * SB];
      if (i >= 0 && i < n) continue;
      r->report.where = r->fn->where[in - code];
      r->report.index = i;
      r->report.extent = n;
      return EXEC_BOUND;
    }
    GO;
  }
  OP(V_BOUND_AFFINE) {
    int64_t first = A.integer, n = B.integer;
    if (first < 0 || first > n - vn) {
      r->report.where = r->fn->where[in - code];
      r->report.index = first < 0 || first >= n ? first : n < 0 ? first : n;
      r->report.extent = n;
      return EXEC_BOUND;
    }
    GO;
  }
  OP(V_FOLD) {
    for (int64_t l = 0; l < vn; l++)
      PD[l].integer = (int64_t)rt_key_fold((uint64_t)PA[l * SA].integer, (uint64_t)PB[l * SB].integer);
    GO;
  }
  OP(V_DRAW) interp_draw_lanes(in->u.shape, r->draws, p, PD, &PA->integer, SA, &PB->integer, SB, vn); GO;
  OP(V_GEMV) k->gemv(&PD->real, &PA[B.integer * (int64_t)in->x].real, &PC->real, vn, (ptrdiff_t)in->x, 0); GO;
  OP(V_GEMVC) k->gemv_columns(&PD->real, &PA[B.integer].real, in->u.i, &PC->real, vn, (ptrdiff_t)in->x); GO;
  OP(LSUMROWS) k->sum_push_columns((rt_summer *)(void *)PD, &PA->real, SA, &PB[C.integer].real, in->u.i, in->x, vn); GO;
  OP(LDOTROWS) {
    const double *row = &PB[C.integer].real;
    for (uint32_t j = 0; j < in->x; j++) PD[j].real = k->dot(&PA->real, SA, row + j * in->u.i, 1, vn);
    GO;
  }
  OP(V_MATMUL) interp_matmul_lanes(in->u.shape, k, p, PD, PA, PB, vn); GO;
  OP(MEMO_FIND) {
    const interp_memo *m = in->u.shape;
    D.integer = interp_memo_find(m, r->memo[m->table], p, PA);
    GO;
  }
  OP(MEMO_KEEP) memo_keep(r->memo[in->x], B.integer, PA); GO;
  OP(NANCHECK) {
    if (interp_watch_nan(in->u.shape, c, p)) {
      r->nan = true;
      const interp_watch *watch = in->u.shape;
      r->report.factor = watch->factor;
      if (watch->factor) r->report.row = interp_watch_row(watch, p, &r->report.share);
      r->report.naxes = watch->naxes;
      for (uint32_t k = 0; k < watch->naxes; k++) r->report.at[k] = c[watch->axis[k]].integer;
      r->report.where = r->fn->where[in - code];
      return EXEC_OK;
    }
    GO;
  }
}

#undef OP
#undef GO
#undef D
#undef A
#undef B
#undef C
#undef PD
#undef PA
#undef PB
#undef PC
#undef SA
#undef SB
#undef SC
#undef JUMP
#undef WRAP
