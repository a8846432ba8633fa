; What JavaScript alone writes; the rest is in ecmascript.scm.

[(class_declaration name: (identifier) @name body: (_) @body)
 (class name: (identifier) @name body: (_) @body)] @definition.class

(field_definition
  property: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method

(field_definition
  property: [(property_identifier) (private_property_identifier)] @name) @definition.field

(expression_statement
  (assignment_expression
    left: (member_expression) @name
    right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])) @definition.function

(class_heritage [(identifier) (member_expression)] @reference.inherit)

(class_heritage (call_expression arguments: (arguments (identifier) @reference.inherit)))

[(formal_parameters (identifier) @local)
 (formal_parameters (assignment_pattern left: (identifier) @local))
 (rest_pattern (identifier) @local)
 (object_pattern (shorthand_property_identifier_pattern) @local)
 (object_pattern (object_assignment_pattern left: (shorthand_property_identifier_pattern) @local))
 (pair_pattern value: (identifier) @local)
 (array_pattern (identifier) @local)
 (arrow_function parameter: (identifier) @local)
 (variable_declarator name: (identifier) @local)
 (for_in_statement left: (identifier) @local)
 (catch_clause parameter: (identifier) @local)]

(assignment_expression
  left: (member_expression object: (this) @self property: (property_identifier) @name)) @definition.field

; --- flows ---------------------------------------------------------------------------------------

(field_definition
  property: (_) @target
  value: [(identifier) @value (member_expression) @value (call_expression) @value (new_expression) @value
          (array [(identifier) (member_expression) (call_expression) (new_expression)] @element)]) @flow

; What these call is handed the elements one by one.
((call_expression
  function: (member_expression
    object: [(identifier) (member_expression) (call_expression)] @iterated
    property: (property_identifier) @_method)
  arguments: (arguments .
    [(arrow_function parameter: (identifier) @target)
     (arrow_function parameters: (formal_parameters . (identifier) @target))])) @flow
  (#any-of? @_method "forEach" "map" "filter" "some" "every" "find" "findIndex" "findLast" "flatMap"))

[(formal_parameters (_) @parameter) @parameters
 (arrow_function parameter: (identifier) @parameter @parameters)]
