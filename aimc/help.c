/* help.c: what somebody who types `aimc` first wants to know. */
#include "aimc/aimc.h"

void help_print(void) {
  fputs("aimc: generative models, from text to posterior draws\n"
        "\n"
        "  aimc run model.aim            runs the statements of a file: draws, summary, advice\n"
        "  aimc check model.aim...       says what is wrong, without data\n"
        "  aimc explain model.aim        the method and why, the sites, what a gradient costs\n"
        "  aimc ir model.aim             what the model becomes (--stage model, grad, ...)\n"
        "  aimc build model.aim          an object and a C header, for programs without AIM\n"
        "  aimc doctor                   this machine and this build\n"
        "  aimc cache                    compiled models that are kept\n"
        "  aimc run --help               all options\n"
        "\n"
        "A first model.  Put this into coin.aim:\n"
        "\n"
        "    model coin(y: bool[N]) {\n"
        "      p ~ Beta(1, 1)               # `p` is not data, so it is inferred\n"
        "      y ~ Bernoulli(p)             # `y` is data, so it is observed\n"
        "    }\n"
        "    infer coin on y = [true, true, false, true]\n"
        "\n"
        "and run it:\n"
        "\n"
        "    aimc run coin.aim --draws 2000 --seed 7 --out coin\n"
        "\n"
        "Data come from the statement (`on \"data.json\"`) or from flags (--data data.json, --data K=3).\n"
        "--out keeps the draws as CSV files that ArviZ, posterior and cmdstanr read.\n"
        "\n"
        "Exit status: 0 done, 1 the program, data or command line is wrong, 2 a file, memory or disk failed,\n"
        "3 a bug in AIM, 128 + n stopped by signal n (files then hold complete rows).\n",
        stdout);
}
