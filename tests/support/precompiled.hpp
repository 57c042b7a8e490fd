// The large headers of the tests, compiled once for each test program (Catch2, ATen and JSON take seconds a
// file).
#pragma once

#include <ATen/ATen.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/support/test.hpp"
