; What TypeScript alone writes; the rest is in ecmascript.scm.

[(class_declaration name: (type_identifier) @name body: (_) @body)
 (abstract_class_declaration name: (type_identifier) @name body: (_) @body)
 (class name: (type_identifier) @name body: (_) @body)] @definition.class

(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method

(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name) @definition.field

; Other members are declared where their type is: what is assigned to them is no definition.
(program
  (expression_statement
    (assignment_expression
      left: (member_expression object: [(identifier) (member_expression object: (identifier))]) @name
      right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])) @definition.function)

(interface_declaration name: (type_identifier) @name body: (_) @body) @definition.interface

(type_alias_declaration name: (type_identifier) @name) @definition.type

(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum

(enum_body [name: (property_identifier) @name (enum_assignment name: (property_identifier) @name)] @definition.enum_member)

[(internal_module name: (_) @name body: (_) @body)
 (module name: (_) @name body: (_) @body)] @definition.namespace

[(function_signature name: (identifier) @name)
 (function_declaration name: (identifier) @name !body)] @definition.function

[(method_signature name: (property_identifier) @name)
 (abstract_method_signature name: (property_identifier) @name)] @definition.method

(property_signature name: (property_identifier) @name) @definition.field

; Parameters of a constructor that are fields.
(required_parameter [(accessibility_modifier) "readonly"] pattern: (identifier) @name) @definition.field

(ambient_declaration (_) @inner .) @outer

(ambient_declaration
  [(lexical_declaration (variable_declarator name: (identifier) @name))
   (variable_declaration (variable_declarator name: (identifier) @name))] @definition.variable)

((decorator) @outer . (_) @inner)

(extends_clause value: [(identifier) (member_expression)] @reference.inherit)

(extends_clause value: (call_expression arguments: (arguments (identifier) @reference.inherit)))

[(implements_clause (type_identifier) @reference.inherit)
 (implements_clause (nested_type_identifier) @reference.inherit)
 (implements_clause (generic_type name: (_) @reference.inherit))
 (extends_type_clause type: (type_identifier) @reference.inherit)
 (extends_type_clause type: (nested_type_identifier) @reference.inherit)
 (extends_type_clause type: (generic_type name: (_) @reference.inherit))]

(nested_type_identifier) @reference.type

(type_identifier) @reference.type

(type_query [(identifier) (member_expression)] @reference.type)

[(required_parameter pattern: (identifier) @local)
 (optional_parameter pattern: (identifier) @local)
 (type_parameter name: (type_identifier) @local)
 (infer_type (type_identifier) @local)
 (mapped_type_clause name: (type_identifier) @local)
 (rest_pattern (identifier) @local)
 (object_pattern (shorthand_property_identifier_pattern) @local)
 (object_pattern (object_assignment_pattern left: (shorthand_property_identifier_pattern) @local))
 (pair_pattern value: (identifier) @local)
 (array_pattern (identifier) @local)
 (arrow_function parameter: (identifier) @local)
 (variable_declarator name: (identifier) @local)
 (for_in_statement left: (identifier) @local)
 (catch_clause parameter: (identifier) @local)]

; --- flows ---------------------------------------------------------------------------------------

[(variable_declarator
   name: (identifier) @target
   type: (type_annotation [
     (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type))
 (required_parameter
   pattern: (identifier) @target
   type: (type_annotation [
     (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type))
 (optional_parameter
   pattern: (identifier) @target
   type: (type_annotation [
     (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type))
 (public_field_definition
   name: (_) @target
   type: (type_annotation [
     (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type))
 (property_signature
   name: (_) @target
   type: (type_annotation [
     (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type))] @flow

(type_parameter name: (type_identifier) @target constraint: (constraint [(type_identifier) (generic_type) (nested_type_identifier)] @type)) @flow

(required_parameter
  pattern: (identifier) @target
  value: [(identifier) (member_expression) (call_expression) (new_expression)] @value) @flow

(public_field_definition
  name: (_) @target
  value: [(identifier) @value (member_expression) @value (call_expression) @value (new_expression) @value
          (array [(identifier) (member_expression) (call_expression) (new_expression)] @element)]) @flow

(variable_declarator
  name: (identifier) @target
  value: [(as_expression [(identifier) (member_expression) (call_expression) (new_expression)] @value)
          (satisfies_expression [(identifier) (member_expression) (call_expression) (new_expression)] @value)
          (non_null_expression) @value]) @flow

(variable_declarator
  name: (identifier) @target
  value: (as_expression (_) [(type_identifier) (nested_type_identifier) (generic_type) (array_type) (union_type)] @type .)) @flow

[(function_declaration name: (_) @target return_type: (type_annotation [
   (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type))
 (function_signature name: (_) @target return_type: (type_annotation [
   (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type))
 (method_definition name: (_) @target return_type: (type_annotation [
   (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type))
 (method_signature name: (_) @target return_type: (type_annotation [
   (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type))
 (abstract_method_signature name: (_) @target return_type: (type_annotation [
   (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type))
 (variable_declarator name: (_) @target value: (arrow_function return_type: (type_annotation [
   (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type)))
 (public_field_definition name: (_) @target value: (arrow_function return_type: (type_annotation [
   (type_identifier) (nested_type_identifier) (generic_type) (union_type) (intersection_type) (array_type) (readonly_type) (tuple_type) (parenthesized_type) (this_type)] @type)))] @flow.return

; What these call is handed the elements one by one.
((call_expression
  function: (member_expression
    object: [(identifier) (member_expression) (call_expression)] @iterated
    property: (property_identifier) @_method)
  arguments: (arguments .
    [(arrow_function parameter: (identifier) @target)
     (arrow_function parameters: (formal_parameters . (required_parameter pattern: (identifier) @target !type)))])) @flow
  (#any-of? @_method "forEach" "map" "filter" "some" "every" "find" "findIndex" "findLast" "flatMap"))

(formal_parameters (_) @parameter) @parameters

(arrow_function parameter: (identifier) @parameter @parameters)
