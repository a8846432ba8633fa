; --- definitions ---------------------------------------------------------------------------------

(function_definition
  name: (identifier) @name
  body: (_) @body) @definition.function

(class_definition
  name: (identifier) @name
  body: (_) @body) @definition.class

(type_alias_statement
  left: (type (identifier) @name)) @definition.type

; In a function these are locals, in a class fields.
(assignment left: (identifier) @name) @definition.variable

(assignment left: [(pattern_list (identifier) @name) (tuple_pattern (identifier) @name)]) @definition.variable

(assignment
  left: (attribute
    object: (identifier) @self
    attribute: (identifier) @name)) @definition.field

(decorated_definition definition: (_) @inner) @outer

(block . (expression_statement . (string) @doc))

; --- imports -------------------------------------------------------------------------------------

(import_statement name: (dotted_name) @module) @import

(import_statement
  name: (aliased_import name: (_) @module alias: (_) @import.alias)) @import

(import_from_statement
  module_name: (_) @module
  name: (dotted_name) @import.name) @import

(import_from_statement
  module_name: (_) @module
  name: (aliased_import name: (_) @import.name alias: (_) @import.alias)) @import

(import_from_statement
  module_name: (_) @module
  (wildcard_import) @import.everything) @import

; --- references ----------------------------------------------------------------------------------

(class_definition
  superclasses: (argument_list [(identifier) (attribute)] @reference.inherit))

(class_definition
  superclasses: (argument_list (subscript value: [(identifier) (attribute)] @reference.inherit)))

(call function: [(identifier) (attribute)] @reference.call)

(type [(identifier) (attribute)] @reference.type)

(type (generic_type (identifier) @reference.type))

(type (subscript value: [(identifier) (attribute)] @reference.type))

(type (binary_operator [(identifier) (attribute)] @reference.type))

(attribute object: [(identifier) (attribute)]) @reference.read

[(argument_list (identifier) @reference.read)
 (keyword_argument value: (identifier) @reference.read)
 (assignment right: (identifier) @reference.read)
 (return_statement (identifier) @reference.read)
 (decorator (identifier) @reference.read)
 (list (identifier) @reference.read)
 (tuple (identifier) @reference.read)
 (set (identifier) @reference.read)
 (pair (identifier) @reference.read)
 (expression_list (identifier) @reference.read)
 (comparison_operator (identifier) @reference.read)
 (boolean_operator (identifier) @reference.read)
 (not_operator (identifier) @reference.read)
 (binary_operator (identifier) @reference.read)
 (conditional_expression (identifier) @reference.read)
 (subscript (identifier) @reference.read)
 (except_clause (identifier) @reference.read)
 (as_pattern (identifier) @reference.read)
 (raise_statement (identifier) @reference.read)
 (if_statement condition: (identifier) @reference.read)
 (for_statement right: (identifier) @reference.read)
 (for_in_clause right: (identifier) @reference.read)
 (default_parameter value: (identifier) @reference.read)
 (typed_default_parameter value: (identifier) @reference.read)
 (interpolation (identifier) @reference.read)]

; --- names bound in functions --------------------------------------------------------------------

[(parameters (identifier) @local)
 (default_parameter name: (identifier) @local)
 (typed_parameter . (identifier) @local)
 (typed_default_parameter name: (identifier) @local)
 (lambda_parameters (identifier) @local)
 (list_splat_pattern (identifier) @local)
 (dictionary_splat_pattern (identifier) @local)
 (pattern_list (identifier) @local)
 (tuple_pattern (identifier) @local)
 (for_statement left: (identifier) @local)
 (for_in_clause left: (identifier) @local)
 (as_pattern_target (identifier) @local)
 (named_expression name: (identifier) @local)]
