; --- definitions ---------------------------------------------------------------------------------

(class_statement . (simple_name) @name) @definition.class

(enum_statement . (simple_name) @name) @definition.enum

(enum_member . (simple_name) @name) @definition.enum_member

(class_property_definition (variable) @name) @definition.field

(class_method_definition (simple_name) @name (script_block)? @body) @definition.method

(function_statement (function_name) @name (script_block)? @body) @definition.function

(program (statement_list (pipeline (assignment_expression (left_assignment_expression (logical_expression
  (bitwise_expression (comparison_expression (additive_expression (multiplicative_expression (format_expression
    (range_expression (array_literal_expression (unary_expression (variable) @name))))))))))) @definition.variable)))

; --- imports -------------------------------------------------------------------------------------

((command
  command_name: (command_name) @_command
  command_elements: (command_elements . (command_argument_sep) . (generic_token) @_module . (command_argument_sep) . (_) @module)) @import
  (#eq? @_command "using")
  (#eq? @_module "module"))

((command
  command_name: (command_name) @_command
  command_elements: (command_elements . (command_argument_sep) . [(generic_token) (array_literal_expression)] @module)) @import
  (#match? @_command "^[Ii]mport-[Mm]odule$"))

((command
  (command_invokation_operator) @_dot
  command_name: (command_name_expr) @module) @import
  (#eq? @_dot "."))

; --- references ----------------------------------------------------------------------------------

(class_statement . (simple_name) (simple_name) @reference.inherit)

((command command_name: (command_name) @reference.call)
  (#not-match? @reference.call "[./\\\\]"))

(invokation_expression
  (type_literal (type_spec (type_name (type_identifier) @qualifier)))
  (member_name (simple_name) @name)) @reference.call

(invokation_expression . (_) @qualifier (member_name (simple_name) @name)) @reference.call

(type_identifier) @reference.type

(member_access
  (type_literal (type_spec (type_name (type_identifier) @qualifier)))
  (member_name (simple_name) @name)) @reference.read

(member_access . (variable) @qualifier (member_name (simple_name) @name)) @reference.read

(variable) @reference.read

; --- names bound in functions --------------------------------------------------------------------

[(script_parameter (variable) @local)
 (class_method_parameter (variable) @local)
 (foreach_statement (variable) @local)]

(left_assignment_expression (logical_expression
  (bitwise_expression (comparison_expression (additive_expression (multiplicative_expression (format_expression
    (range_expression (array_literal_expression (unary_expression (variable) @local))))))))))
