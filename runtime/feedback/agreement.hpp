#pragma once

#include <optional>
#include <vector>

namespace slipstream {

/// What one person said of each unit; nothing where the rating is missing.
using ratings_of_one = std::vector<std::optional<double>>;

/// Cohen's kappa of two people over the units that both rated (Cohen 1960, "A coefficient of agreement for
/// nominal scales"): 1 is full agreement, 0 what chance gives. Nothing where no unit has both ratings, or
/// where both gave one and the same rating to all, which leaves no disagreement to expect.
std::optional<double> cohen_kappa(const ratings_of_one &first, const ratings_of_one &second);

/// How far two ratings are apart: equal or not, by the ranks between them, or by their numbers.
enum class rating_scale { nominal, ordinal, interval };

/// Krippendorff's alpha of any number of people, ratings missing where they may (Krippendorff 2011,
/// "Computing Krippendorff's alpha-reliability"); all rows have one length. A unit with one rating says
/// nothing of agreement and is left out. Nothing where no unit has two, or where all ratings are alike.
std::optional<double> krippendorff_alpha(const std::vector<ratings_of_one> &people, rating_scale scale);

}  // namespace slipstream
