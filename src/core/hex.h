// Hex digits, of which some texts take lowercase letters, some uppercase ones and some both.
#pragma once

namespace karma {

// Its value, with letters from `first_letter` on, 'a' or 'A'; -1 if it is no such digit.
inline int hex_digit(char byte, char first_letter) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  return byte >= first_letter && byte < first_letter + 6 ? byte - first_letter + 10 : -1;
}

}  // namespace karma
