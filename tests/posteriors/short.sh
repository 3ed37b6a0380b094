#!/bin/sh
# Seven of the reference posteriors, which stand in tests/posteriors/data, for `make test`; `make posteriordb` draws for all.
REFERENCES=tests/posteriors/data exec sh tests/posteriors/run.sh
