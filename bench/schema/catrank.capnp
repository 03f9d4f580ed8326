# Search ranking: results go out, and come back with cats first and dogs last.
#
# The declarations below are those of Cap'n Proto's own benchmark of this name,
# because its figures depend on every field and its place:
# Copyright (c) 2013-2014 Sandstorm Development Group, Inc. and contributors,
# under the MIT License.

@0x82beb8e37ff79aba;

struct SearchResultList {
  results @0 :List(SearchResult);
}

struct SearchResult {
  url @0 :Text;
  score @1 :Float64;
  snippet @2 :Text;
}
