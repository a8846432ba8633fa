; --- definitions ---------------------------------------------------------------------------------

(decorated_definition
  (decorator [(identifier) (attribute)] @_how)
  definition: (function_definition
    name: (identifier) @name
    body: (_) @body) @definition.property
  (#match? @_how "^[\\w.]*property$|^\\w+\\.(setter|getter|deleter)$"))

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

(pattern_list
  (attribute
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
  superclasses: (argument_list [(identifier) (attribute) (subscript)] @reference.inherit))

(call
  function: [(identifier) (attribute)] @reference.call
  arguments: (argument_list)? @arguments)

(call
  function: [(call) (subscript)] @chain
  arguments: (argument_list)? @arguments) @reference.call

[(decorator [(identifier) (attribute)] @reference.call)
 (raise_statement . (identifier) @reference.call)]

[(type [(identifier) (attribute) (generic_type) (subscript)] @reference.type)
 (type (binary_operator [(identifier) (attribute) (subscript)] @reference.type))]

(attribute object: [(identifier) (attribute)]) @reference.read

[(attribute object: (identifier) @reference.read)
 (subscript subscript: (identifier) @reference.read)
 (argument_list (identifier) @reference.read)
 (keyword_argument value: (identifier) @reference.read)
 (assignment right: (identifier) @reference.read)
 (return_statement (identifier) @reference.read)
 (list (identifier) @reference.read)
 (tuple (identifier) @reference.read)
 (pair value: (identifier) @reference.read)
 (expression_list (identifier) @reference.read)
 (comparison_operator (identifier) @reference.read)
 (except_clause (identifier) @reference.read)
 (as_pattern . (identifier) @reference.read)
 (subscript value: (identifier) @reference.read)
 (for_in_clause right: (identifier) @reference.read)
 (for_statement right: (identifier) @reference.read)
 (default_parameter value: (identifier) @reference.read)]

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

; --- flows ---------------------------------------------------------------------------------------

(assignment
  left: [(identifier) @target (attribute attribute: (identifier) @target)]
  type: (type)? @type
  right: [
    (identifier) @value (attribute) @value (call) @value (subscript) @value
    (await [(identifier) (attribute) (call)] @value)
    (conditional_expression . [(identifier) (attribute) (call)] @value)
    (conditional_expression [(identifier) (attribute) (call)] @value .)
    (boolean_operator [(identifier) (attribute) (call)] @value)
    (list [(identifier) (attribute) (call)] @element)
    (tuple [(identifier) (attribute) (call)] @element)
    (set [(identifier) (attribute) (call)] @element)
    (dictionary (pair value: [(identifier) (attribute) (call)] @element))
    (list_comprehension body: [(identifier) (attribute) (call)] @element)
    (assignment right: [(identifier) (attribute) (call)] @value)
  ]) @flow

(assignment
  left: (subscript value: [(identifier) @target (attribute attribute: (identifier) @target)])
  right: [(identifier) (attribute) (call)] @element) @flow

[(assignment
   left: (pattern_list . (identifier) @target)
   right: (expression_list . [(identifier) (attribute) (call)] @value))
 (assignment
   left: (pattern_list . (_) . (identifier) @target)
   right: (expression_list . (_) . [(identifier) (attribute) (call)] @value))
 (assignment
   left: (pattern_list . (_) . (_) . (identifier) @target)
   right: (expression_list . (_) . (_) . [(identifier) (attribute) (call)] @value))] @flow

(assignment
  left: [(pattern_list (identifier) @target) (tuple_pattern (identifier) @target)]
  right: [(identifier) (attribute) (call)] @iterated) @flow

(assignment left: [(identifier) @target (attribute attribute: (identifier) @target)] type: (type) @type !right) @flow

[(typed_parameter . (identifier) @target type: (type) @type)
 (typed_default_parameter name: (identifier) @target type: (type) @type)] @flow

(default_parameter name: (identifier) @target value: [(identifier) (attribute)] @value) @flow

(for_statement left: (identifier) @target right: [(identifier) (attribute) (call)] @iterated) @flow

(for_in_clause left: (identifier) @target right: [(identifier) (attribute) (call)] @iterated) @flow

(as_pattern . [(identifier) (attribute) (call)] @value alias: (as_pattern_target (identifier) @target)) @flow

(named_expression name: (identifier) @target value: [(identifier) (attribute) (call)] @value) @flow

(function_definition name: (identifier) @target return_type: (type) @type) @flow.return

(return_statement [
  (identifier) @value (attribute) @value (call) @value (subscript) @value
  (await [(identifier) (attribute) (call)] @value)
  (conditional_expression . [(identifier) (attribute) (call)] @value)
  (conditional_expression [(identifier) (attribute) (call)] @value .)
  (boolean_operator [(identifier) (attribute) (call)] @value)
  (list [(identifier) (attribute) (call)] @element)
  (tuple [(identifier) (attribute) (call)] @element)]) @flow.return

(yield [(identifier) (attribute) (call)] @element) @flow.return

(decorated_definition
  (decorator [(identifier) (attribute)] @callee)
  definition: [(function_definition name: (identifier) @value) (class_definition name: (identifier) @value)]) @flow.argument

(parameters (_) @parameter) @parameters
