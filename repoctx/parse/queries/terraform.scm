; --- definitions ---------------------------------------------------------------------------------

((block
  (identifier) @_block
  (string_lit (template_literal) @receiver)
  (string_lit (template_literal) @name)
  (body)? @body) @definition.object
  (#any-of? @_block "resource" "data"))

((block (identifier) @_block . (string_lit (template_literal) @name) (body)? @body) @definition.module
  (#eq? @_block "module"))

((block (identifier) @_block . (string_lit (template_literal) @name) (body)? @body) @definition.variable
  (#any-of? @_block "variable" "output"))

((block (identifier) @_block (body (attribute . (identifier) @name) @definition.constant))
  (#eq? @_block "locals"))

; --- references ----------------------------------------------------------------------------------

(function_call . (identifier) @reference.call)

((expression . (variable_expr (identifier) @_space) . (get_attr (identifier) @reference.type))
  (#any-of? @_space "var" "local" "module"))

((expression
  . (variable_expr (identifier) @_space)
  . (get_attr (identifier) @qualifier) . (get_attr (identifier) @name)) @reference.type
  (#eq? @_space "data"))

((expression . (variable_expr (identifier) @qualifier) . (get_attr (identifier) @name)) @reference.type
  (#not-match? @qualifier "^(var|local|module|data|each|count|self|path|terraform)$"))

(for_intro (identifier) @local)
