#include "models/files/gguf/types.hpp"

#include <array>
#include <cctype>

#include "models/files/gguf/blocks.hpp"

namespace slipstream {
namespace {

constexpr std::array gguf_types{gguf_type{0, "F32", 1, 4, blocks::f32},
                                gguf_type{1, "F16", 1, 2, blocks::f16},
                                gguf_type{2, "Q4_0", 32, 18, blocks::q4_0},
                                gguf_type{3, "Q4_1", 32, 20, blocks::q4_1},
                                gguf_type{6, "Q5_0", 32, 22, blocks::q5_0},
                                gguf_type{7, "Q5_1", 32, 24, blocks::q5_1},
                                gguf_type{8, "Q8_0", 32, 34, blocks::q8_0},
                                gguf_type{9, "Q8_1", 32, 40},
                                gguf_type{10, "Q2_K", 256, 84},
                                gguf_type{11, "Q3_K", 256, 110},
                                gguf_type{12, "Q4_K", 256, 144, blocks::q4_k},
                                gguf_type{13, "Q5_K", 256, 176, blocks::q5_k},
                                gguf_type{14, "Q6_K", 256, 210, blocks::q6_k},
                                gguf_type{15, "Q8_K", 256, 292},
                                gguf_type{16, "IQ2_XXS", 256, 66},
                                gguf_type{17, "IQ2_XS", 256, 74},
                                gguf_type{18, "IQ3_XXS", 256, 98},
                                gguf_type{19, "IQ1_S", 256, 50},
                                gguf_type{20, "IQ4_NL", 32, 18},
                                gguf_type{21, "IQ3_S", 256, 110},
                                gguf_type{22, "IQ2_S", 256, 82},
                                gguf_type{23, "IQ4_XS", 256, 136},
                                gguf_type{24, "I8", 1, 1},
                                gguf_type{25, "I16", 1, 2},
                                gguf_type{26, "I32", 1, 4},
                                gguf_type{27, "I64", 1, 8},
                                gguf_type{28, "F64", 1, 8},
                                gguf_type{29, "IQ1_M", 256, 56},
                                gguf_type{30, "BF16", 1, 2, blocks::bf16},
                                gguf_type{34, "TQ1_0", 256, 54},
                                gguf_type{35, "TQ2_0", 256, 66},
                                gguf_type{39, "MXFP4", 32, 17},
                                gguf_type{40, "NVFP4", 64, 36}};

bool same_word(std::string_view one, std::string_view other) {
  if (one.size() != other.size()) return false;
  for (std::size_t i = 0; i < one.size(); ++i)
    if (std::toupper(static_cast<unsigned char>(one[i])) !=
        std::toupper(static_cast<unsigned char>(other[i])))
      return false;
  return true;
}

}  // namespace

const gguf_type *find_gguf_type(std::uint32_t number) {
  for (const gguf_type &row : gguf_types)
    if (row.number == number) return &row;
  return nullptr;
}

const gguf_type *find_gguf_type(std::string_view name) {
  for (const gguf_type &row : gguf_types)
    if (same_word(row.name, name)) return &row;
  return nullptr;
}

std::string readable_gguf_types() {
  std::string names;
  for (const gguf_type &row : gguf_types)
    if (row.dequantise) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

}  // namespace slipstream
