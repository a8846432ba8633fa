; --- definitions ---------------------------------------------------------------------------------

(module_definition name: (identifier) @name . (_)? @body) @definition.module

(struct_definition (type_head [
  (identifier) @name
  (parametrized_type_expression . (identifier) @name)
  (binary_expression . (identifier) @name)
  (binary_expression . (parametrized_type_expression . (identifier) @name))])) @definition.struct

[(abstract_definition (type_head [
   (identifier) @name
   (parametrized_type_expression . (identifier) @name)
   (binary_expression . (identifier) @name)
   (binary_expression . (parametrized_type_expression . (identifier) @name))]))
 (primitive_definition (type_head [
   (identifier) @name
   (binary_expression . (identifier) @name)]))] @definition.type

(struct_definition (typed_expression . (identifier) @name) @definition.field)

(struct_definition (identifier) @name @definition.field)

(function_definition (signature [
  (identifier) @name
  (call_expression . [(identifier) (field_expression) (operator)] @name)
  (typed_expression . (call_expression . [(identifier) (field_expression) (operator)] @name))
  (where_expression . (call_expression . [(identifier) (field_expression) (operator)] @name))
  (where_expression . (typed_expression . (call_expression . [(identifier) (field_expression) (operator)] @name)))])
  . (_)? @body) @definition.function

(macro_definition (signature (call_expression . (identifier) @name)) . (_)? @body) @definition.macro

(assignment . [
  (call_expression . [(identifier) (field_expression) (operator)] @name)
  (typed_expression . (call_expression . [(identifier) (field_expression) (operator)] @name))
  (where_expression . (call_expression . [(identifier) (field_expression) (operator)] @name))
  (where_expression . (typed_expression . (call_expression . [(identifier) (field_expression) (operator)] @name)))]
  (operator) . (_) @body) @definition.function

((macrocall_expression
  (macro_identifier (identifier) @_macro)
  (macro_argument_list . [(identifier) @name (typed_expression . (identifier) @name)])) @definition.enum
  (#eq? @_macro "enum"))

((macrocall_expression
  (macro_identifier (identifier) @_macro)
  (macro_argument_list . (_) (identifier) @name @definition.enum_member))
  (#eq? @_macro "enum"))

((macrocall_expression
  (macro_identifier (identifier) @_macro)
  (macro_argument_list (string_literal) @name)) @definition.test
  (#eq? @_macro "testset"))

[(source_file (const_statement (assignment . (identifier) @name) @definition.constant))
 (module_definition (const_statement (assignment . (identifier) @name) @definition.constant))]

[(source_file (assignment . (identifier) @name) @definition.variable)
 (module_definition (assignment . (identifier) @name) @definition.variable)]

(const_statement . (assignment) @inner) @outer

((string_literal) @doc @place
  . [(module_definition) (struct_definition) (abstract_definition) (function_definition) (macro_definition) (assignment) (const_statement) (macrocall_expression)])

((string_literal) @outer
  . [(module_definition) (struct_definition) (abstract_definition) (function_definition) (macro_definition) (assignment) (const_statement) (macrocall_expression)] @inner)

; --- imports -------------------------------------------------------------------------------------

((call_expression
  . (identifier) @_include
  (argument_list . (string_literal (content) @module) .)) @import @import.everything
  (#eq? @_include "include"))

(using_statement [(identifier) (scoped_identifier)] @module) @import @import.everything

(import_statement [(identifier) (scoped_identifier)] @module) @import

(import_alias [(identifier) (scoped_identifier)] @module . (identifier) @import.alias) @import

(selected_import . [(identifier) (scoped_identifier)] @module (identifier) @import.name) @import

; --- references ----------------------------------------------------------------------------------

[(type_head (binary_expression (operator) . (identifier) @reference.inherit))
 (type_head (binary_expression (operator) . (field_expression) @reference.inherit))
 (type_head (binary_expression (operator) . (parametrized_type_expression . (identifier) @reference.inherit)))]

[(call_expression . [(identifier) (field_expression)] @reference.call)
 (broadcast_call_expression . [(identifier) (field_expression)] @reference.call)
 (macro_identifier (identifier) @reference.call)]

[(typed_expression (identifier) @reference.type .)
 (typed_expression (field_expression) @reference.type .)
 (unary_typed_expression (identifier) @reference.type)
 (parametrized_type_expression . (identifier) @reference.type)
 (curly_expression (identifier) @reference.type)]

(field_expression value: (_)) @reference.read

(identifier) @reference.read

; --- names bound in functions --------------------------------------------------------------------

[(signature (call_expression (argument_list (identifier) @local)))
 (argument_list (typed_expression . (identifier) @local))
 (argument_list (named_argument . (identifier) @local))
 (argument_list (named_argument . (typed_expression . (identifier) @local)))
 (argument_list (splat_expression (identifier) @local))
 (assignment . (call_expression (argument_list (identifier) @local)))
 (assignment . (identifier) @local)
 (assignment . (open_tuple (identifier) @local))
 (assignment . (tuple_expression (identifier) @local))
 (arrow_function_expression . (identifier) @local)
 (arrow_function_expression . (argument_list (identifier) @local))
 (for_binding . (identifier) @local)
 (for_binding . (tuple_expression (identifier) @local))
 (do_clause (argument_list (identifier) @local))
 (let_statement (let_binding (identifier) @local))
 (where_expression (identifier) @local .)
 (where_expression (curly_expression (identifier) @local))
 (curly_expression (binary_expression . (identifier) @local))]
