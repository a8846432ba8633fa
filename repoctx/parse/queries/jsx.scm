; What JavaScript and TSX share beyond their own queries.

; A tag in small letters is the browser's.
([(jsx_opening_element name: [(identifier) (member_expression)] @reference.call)
  (jsx_self_closing_element name: [(identifier) (member_expression)] @reference.call)]
 (#not-match? @reference.call "^[a-z]+$"))

(jsx_expression (identifier) @reference.read)
