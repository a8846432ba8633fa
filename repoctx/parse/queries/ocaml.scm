; --- definitions ---------------------------------------------------------------------------------

[(compilation_unit (value_definition (let_binding
   pattern: [(value_name) @name (parenthesized_operator (_) @name)]
   (parameter)
   body: (_) @body) @definition.function))
 (structure (value_definition (let_binding
   pattern: [(value_name) @name (parenthesized_operator (_) @name)]
   (parameter)
   body: (_) @body) @definition.function))]

[(compilation_unit (value_definition (let_binding
   pattern: (value_name) @name
   body: [(fun_expression) (function_expression)] @body) @definition.function))
 (structure (value_definition (let_binding
   pattern: (value_name) @name
   body: [(fun_expression) (function_expression)] @body) @definition.function))]

[(compilation_unit (value_definition (let_binding
   pattern: [(value_name) @name (parenthesized_operator (_) @name) (typed_pattern pattern: (value_name) @name)]) @definition.variable))
 (structure (value_definition (let_binding
   pattern: [(value_name) @name (parenthesized_operator (_) @name) (typed_pattern pattern: (value_name) @name)]) @definition.variable))]

(method_definition (method_name) @name body: (_)? @body) @definition.method

(instance_variable_definition (instance_variable_name) @name) @definition.field

(value_definition . (let_binding) @inner) @outer

; --- references ----------------------------------------------------------------------------------

(application_expression function: [(value_path) (constructor_path)] @reference.call)

((infix_expression operator: (rel_operator) @_pipe right: (value_path) @reference.call)
  (#eq? @_pipe "|>"))

(new_expression (class_path) @reference.call)

(method_invocation object: (_) @qualifier method: (method_name) @name) @reference.call

(constructor_path) @reference.read

(value_path) @reference.read

(field_get_expression field: (field_path) @reference.read)

; --- names bound in functions --------------------------------------------------------------------

(value_pattern) @local

(let_expression (value_definition (let_binding pattern: (value_name) @local)))
