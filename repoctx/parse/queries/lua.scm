; --- definitions ---------------------------------------------------------------------------------

(function_declaration name: (method_index_expression) @name body: (_)? @body) @definition.method

(function_declaration name: [(identifier) (dot_index_expression)] @name body: (_)? @body) @definition.function

(assignment_statement
  (variable_list . name: [(identifier) (dot_index_expression)] @name)
  (expression_list . value: (function_definition body: (_)? @body))) @definition.function

(table_constructor (field
  name: (identifier) @name
  value: (function_definition body: (_)? @body)) @definition.function)

(chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @name))) @definition.variable)

(chunk (assignment_statement (variable_list name: (identifier) @name)) @definition.variable)

; --- imports -------------------------------------------------------------------------------------

((assignment_statement
  (variable_list . name: (identifier) @import.alias)
  (expression_list . value: (function_call
    name: (identifier) @_require
    arguments: (arguments . (string) @module)))) @import
  (#eq? @_require "require"))

((function_call
  name: (identifier) @_require
  arguments: (arguments . (string) @module)) @import
  (#match? @_require "^(require|dofile|loadfile)$"))

; --- references ----------------------------------------------------------------------------------

(function_call name: [(identifier) (dot_index_expression) (method_index_expression)] @reference.call)

(dot_index_expression table: (identifier)) @reference.read

(dot_index_expression table: (identifier) @reference.read)

[(arguments (identifier) @reference.read)
 (expression_list (identifier) @reference.read)
 (expression_list value: (identifier) @reference.read)
 (binary_expression (identifier) @reference.read)
 (unary_expression (identifier) @reference.read)
 (field value: (identifier) @reference.read)
 (if_statement condition: (identifier) @reference.read)
 (parenthesized_expression (identifier) @reference.read)]

; --- names bound in functions --------------------------------------------------------------------

[(parameters name: (identifier) @local)
 (variable_declaration (assignment_statement (variable_list name: (identifier) @local)))
 (variable_declaration (variable_list name: (identifier) @local))
 (for_generic_clause (variable_list name: (identifier) @local))
 (for_numeric_clause name: (identifier) @local)]
