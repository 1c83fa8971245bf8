#include "tools/html.h"

#include <cstdio>

namespace karma::tools {

std::string escaped(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F) {
          safe += kReplacement;
        } else {
          safe += c;
        }
    }
  }
  return safe;
}

std::string coordinate(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", number);
  std::string shortest = text;
  while (shortest.ends_with('0')) shortest.pop_back();
  if (shortest.ends_with('.')) shortest.pop_back();
  return shortest == "-0" ? "0" : shortest;
}

std::string percent_text(double part, double whole) {
  if (whole <= 0 || part <= 0) return "0 %";
  if (part >= whole) return "100 %";
  const double percent = part / whole * 100;
  if (percent < 0.1) return "< 0.1 %";
  if (percent > 99.9) return "> 99.9 %";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", percent);
  return text;
}

}  // namespace karma::tools
