#pragma once

#include <filesystem>

namespace slipstream {

/// What every program of ours does first in main: opens the standard descriptors where they are closed, makes
/// a file at its size limit an error with a text instead of a death, and says why an uncaught exception ends
/// it.
void set_up_process();

/// The program that people start: of a computing program the light one that started it, else this one itself.
std::filesystem::path program_of_people();

}  // namespace slipstream
