/* comma_locale.h: sets a locale whose decimal point is a comma, where one is installed or localedef can make one. */
#ifndef AIM_TESTS_COMMA_LOCALE_H
#define AIM_TESTS_COMMA_LOCALE_H

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool comma_locale(void) {
  static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "pt_BR.UTF-8", "ru_RU.UTF-8", "de_DE"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (setlocale(LC_ALL, names[i]) && *localeconv()->decimal_point == ',') return true;
  char dir[] = "/tmp/aim-locale-XXXXXX", command[256];
  if (!mkdtemp(dir)) return false;
  snprintf(command, sizeof command, "localedef -c -i de_DE -f UTF-8 %s/de_DE.UTF-8 >%s/log 2>&1", dir, dir);
  bool made = system(command) == 0 && setenv("LOCPATH", dir, 1) == 0 && setlocale(LC_ALL, "de_DE.UTF-8") && *localeconv()->decimal_point == ',';
  snprintf(command, sizeof command, "rm -rf %s", dir);
  if (system(command) != 0) return false;
  return made;
}

#endif
