; What JavaScript and TSX share beyond their own queries.

[(jsx_opening_element name: [(identifier) (member_expression)] @reference.call)
 (jsx_self_closing_element name: [(identifier) (member_expression)] @reference.call)]

(jsx_expression (identifier) @reference.read)
