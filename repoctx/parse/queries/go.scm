; --- definitions ---------------------------------------------------------------------------------

(function_declaration
  name: (identifier) @name
  body: (_)? @body) @definition.function

(method_declaration
  receiver: (parameter_list (parameter_declaration type: (_) @receiver))
  name: (field_identifier) @name
  body: (_)? @body) @definition.method

(type_declaration
  (type_spec name: (type_identifier) @name type: (struct_type (field_declaration_list) @body)) @definition.struct)

(type_declaration
  (type_spec name: (type_identifier) @name type: (interface_type "{" @body)) @definition.interface)

(type_declaration
  [(type_spec name: (type_identifier) @name) (type_alias name: (type_identifier) @name)] @definition.type)

[(type_declaration "type" . (_) @inner .)
 (const_declaration "const" . (_) @inner .)
 (var_declaration "var" . (_) @inner .)] @outer

(field_declaration name: (field_identifier) @name) @definition.field

(method_elem name: (field_identifier) @name) @definition.method

(source_file (const_declaration (const_spec name: (identifier) @name) @definition.constant))

(source_file (var_declaration (var_spec name: (identifier) @name) @definition.variable))

(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name) @definition.variable)))

; --- imports -------------------------------------------------------------------------------------

(import_spec name: (_)? @import.alias path: (_) @module) @import

; --- references ----------------------------------------------------------------------------------

(struct_type (field_declaration_list
  (field_declaration !name type: [
    (type_identifier) @reference.inherit
    (qualified_type) @reference.inherit
    (generic_type type: (_) @reference.inherit)])))

(interface_type (type_elem . [(type_identifier) (qualified_type)] @reference.inherit .))

(call_expression function: [(identifier) (selector_expression)] @reference.call)

(qualified_type) @reference.type

(type_identifier) @reference.type

(selector_expression operand: (identifier)) @reference.read

[(argument_list (identifier) @reference.read)
 (expression_list (identifier) @reference.read)
 (literal_element (identifier) @reference.read)
 (binary_expression (identifier) @reference.read)
 (unary_expression (identifier) @reference.read)
 (index_expression (identifier) @reference.read)
 (range_clause right: (identifier) @reference.read)
 (parenthesized_expression (identifier) @reference.read)
 (var_spec value: (expression_list (identifier) @reference.read))]

; --- names bound in functions --------------------------------------------------------------------

[(parameter_declaration name: (identifier) @local)
 (variadic_parameter_declaration name: (identifier) @local)
 (short_var_declaration left: (expression_list (identifier) @local))
 (var_spec name: (identifier) @local)
 (const_spec name: (identifier) @local)
 (range_clause left: (expression_list (identifier) @local))
 (type_switch_statement alias: (expression_list (identifier) @local))
 (receive_statement left: (expression_list (identifier) @local))
 (type_parameter_declaration name: (identifier) @local)]

; --- flows ---------------------------------------------------------------------------------------

[(parameter_declaration name: (identifier) @target type: (_) @type)
 (var_spec name: (identifier) @target type: (_) @type)
 (field_declaration name: (field_identifier) @target type: (_) @type)
 (type_spec name: (type_identifier) @target type: [(type_identifier) (qualified_type) (slice_type) (map_type)] @type)
 (type_alias name: (type_identifier) @target type: (_) @type)] @flow

(variadic_parameter_declaration name: (identifier) @target type: (_) @held) @flow

[(function_declaration name: (identifier) @target result: [(parameter_list . (parameter_declaration type: (_) @type)) (_simple_type) @type])
 (method_declaration name: (field_identifier) @target result: [(parameter_list . (parameter_declaration type: (_) @type)) (_simple_type) @type])
 (method_elem name: (field_identifier) @target result: [(parameter_list . (parameter_declaration type: (_) @type)) (_simple_type) @type])] @flow.return

; Of several values the first, and of two the second.
(short_var_declaration
  left: (expression_list . (identifier) @target)
  right: (expression_list . [
    (identifier) @value (selector_expression) @value (call_expression) @value (index_expression) @value
    (unary_expression operand: [(identifier) (selector_expression)] @value)
    (unary_expression "<-" operand: (_) @iterated)
    (unary_expression operand: (composite_literal type: (_) @type))
    (composite_literal type: (_) @type)
    (type_assertion_expression type: (_) @type)
    (call_expression function: (identifier) @_make arguments: (argument_list . (_simple_type) @type))
  ])) @flow

(short_var_declaration
  left: (expression_list (_) . (identifier) @target .)
  right: (expression_list (_) . [
    (identifier) @value (selector_expression) @value (call_expression) @value (index_expression) @value
    (unary_expression operand: (composite_literal type: (_) @type))
    (composite_literal type: (_) @type)
  ] .)) @flow

(var_spec
  name: (identifier) @target
  value: (expression_list . [
    (identifier) @value (selector_expression) @value (call_expression) @value
    (unary_expression operand: (composite_literal type: (_) @type))
    (composite_literal type: (_) @type)
  ])) @flow

; By custom the last of several results is an error.
((short_var_declaration left: (expression_list (_) (identifier) @target @stated.error .)) @flow
  (#eq? @target "err"))

(range_clause left: (expression_list (_) . (identifier) @target .) right: (_) @iterated) @flow

(type_switch_statement
  alias: (expression_list (identifier) @target)
  (type_case type: (_) @type)) @flow
