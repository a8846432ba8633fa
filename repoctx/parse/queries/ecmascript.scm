; What JavaScript and TypeScript write alike.

; --- definitions ---------------------------------------------------------------------------------

[(function_declaration name: (identifier) @name body: (_) @body)
 (generator_function_declaration name: (identifier) @name body: (_) @body)] @definition.function

(method_definition
  ["get" "set"]
  name: [(property_identifier) (private_property_identifier) (string)] @name
  body: (_) @body) @definition.property

(method_definition
  name: [(property_identifier) (private_property_identifier) (string)] @name
  body: (_) @body) @definition.method

([(lexical_declaration
    (variable_declarator
      name: (identifier) @name
      value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)
              (generator_function body: (_) @body)]))
  (variable_declaration
    (variable_declarator
      name: (identifier) @name
      value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]))]) @definition.function

(return_statement (function_expression name: (identifier) @name body: (_) @body) @definition.function)

(lexical_declaration
  (variable_declarator name: (identifier) @name value: (class body: (_) @body))) @definition.class

; In a function the name is a local variable.
(program
  (expression_statement
    (assignment_expression
      left: (identifier) @name
      right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])) @definition.function)

(expression_statement
  (assignment_expression
    left: (member_expression object: (member_expression) property: (property_identifier)) @name
    right: (class body: (_) @body))) @definition.class

[(variable_declarator value: (object (pair key: [(property_identifier) (string)] @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method))
 (assignment_expression right: (object (pair key: [(property_identifier) (string)] @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method))
 (return_statement (object (pair key: [(property_identifier) (string)] @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method))
 (export_statement value: (object (pair key: [(property_identifier) (string)] @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method))]

(program
  [(lexical_declaration (variable_declarator value: (object [
     (pair key: [(property_identifier) (string)] @name value: (identifier))
     (shorthand_property_identifier) @name] @definition.field)))
   (export_statement (lexical_declaration (variable_declarator value: (object [
     (pair key: [(property_identifier) (string)] @name value: (identifier))
     (shorthand_property_identifier) @name] @definition.field))))])

(export_statement "default" @name value: (class !name body: (_) @body)) @definition.class

(export_statement
  "default" @name
  value: [(function_expression body: (_) @body) (arrow_function body: (_) @body)]) @definition.function

(program
  (lexical_declaration
    kind: "const"
    (variable_declarator name: (identifier) @name)) @definition.constant)

(program
  [(lexical_declaration (variable_declarator name: (identifier) @name))
   (variable_declaration (variable_declarator name: (identifier) @name))] @definition.variable)

(export_statement
  declaration: (lexical_declaration
    kind: "const"
    (variable_declarator name: (identifier) @name)) @definition.constant)

(export_statement
  declaration: [
    (lexical_declaration (variable_declarator name: (identifier) @name))
    (variable_declaration (variable_declarator name: (identifier) @name))] @definition.variable)

[(arrow_function body: (_) @body) (function_expression body: (_) @body) (generator_function body: (_) @body)] @anonymous

(export_statement declaration: (_) @inner) @outer

; --- imports -------------------------------------------------------------------------------------

(import_statement
  (import_clause (identifier) @import.default)
  source: (string) @module) @import

(import_statement
  (import_clause (namespace_import (identifier) @import.alias))
  source: (string) @module) @import

(import_statement
  (import_clause (named_imports (import_specifier
    name: (_) @import.name
    alias: (_)? @import.alias)))
  source: (string) @module) @import

(import_statement . source: (string) @module) @import

(export_statement
  (export_clause (export_specifier
    name: (_) @import.name
    alias: (_)? @import.alias))
  source: (string) @module) @import

(export_statement
  (namespace_export (identifier) @import.alias)
  source: (string) @module) @import

(export_statement
  (export_clause (export_specifier
    name: (_) @import.name
    alias: (_) @import.alias))
  !source) @import

(export_statement "default" @import.alias value: (identifier) @import.name) @import

(export_statement "default" @import.alias declaration: (_ name: (_) @import.name)) @import

; module.exports = {a: b}; exports.a = b; module.exports = b
((assignment_expression
  left: (member_expression) @_exports
  right: (object (pair key: (property_identifier) @import.alias value: (identifier) @import.name))) @import
  (#eq? @_exports "module.exports"))

((assignment_expression
  left: (member_expression
    object: [(identifier) (member_expression)] @_exports
    property: (property_identifier) @import.alias)
  right: (identifier) @import.name) @import
  (#any-of? @_exports "exports" "module.exports"))

((assignment_expression
  left: (member_expression object: (identifier) @_module property: (property_identifier) @import.alias)
  right: [(identifier) @import.name (class name: (_) @import.name)]) @import
  (#eq? @_module "module")
  (#eq? @import.alias "exports"))

(export_statement "*" @import.everything source: (string) @module) @import

((variable_declarator
  name: (identifier) @import.alias
  value: (call_expression
    function: (identifier) @_require
    arguments: (arguments . (string) @module))) @import
  (#eq? @_require "require"))

((variable_declarator
  name: (object_pattern
    [(shorthand_property_identifier_pattern) @import.name
     (pair_pattern key: (property_identifier) @import.name value: (identifier) @import.alias)])
  value: (call_expression
    function: (identifier) @_require
    arguments: (arguments . (string) @module))) @import
  (#eq? @_require "require"))

((call_expression
  function: (identifier) @_require
  arguments: (arguments . (string) @module)) @import
  (#eq? @_require "require"))

(call_expression
  function: (import)
  arguments: (arguments . (string) @module)) @import

; --- references ----------------------------------------------------------------------------------

(call_expression
  function: [(identifier) (member_expression) (super)] @reference.call
  arguments: (arguments)? @arguments)

(call_expression
  function: [(call_expression) (subscript_expression)] @chain
  arguments: (arguments)? @arguments) @reference.call

(new_expression
  constructor: [(identifier) (member_expression)] @reference.call
  arguments: (_)? @arguments)

(member_expression object: [(identifier) (this) (call_expression)]) @reference.read

[(member_expression object: (identifier) @reference.read)
 (arguments (identifier) @reference.read)
 (pair value: (identifier) @reference.read)
 (object (shorthand_property_identifier) @reference.read)
 (array (identifier) @reference.read)
 (variable_declarator value: (identifier) @reference.read)
 (assignment_expression right: (identifier) @reference.read)
 (assignment_pattern right: (identifier) @reference.read)
 (return_statement (identifier) @reference.read)
 (arrow_function body: (identifier) @reference.read)
 (binary_expression (identifier) @reference.read)
 (unary_expression (identifier) @reference.read)
 (ternary_expression (identifier) @reference.read)
 (parenthesized_expression (identifier) @reference.read)
 (template_substitution (identifier) @reference.read)
 (subscript_expression (identifier) @reference.read)
 (spread_element (identifier) @reference.read)
 (decorator (identifier) @reference.read)
 (for_in_statement right: (identifier) @reference.read)
 (export_statement value: (identifier) @reference.read)
 (export_specifier name: (identifier) @reference.read)]

; --- names bound in functions --------------------------------------------------------------------

; --- flows ---------------------------------------------------------------------------------------

(variable_declarator
  name: (identifier) @target
  value: [
    (identifier) @value (member_expression) @value (call_expression) @value (subscript_expression) @value
    (new_expression arguments: (_)) @value (new_expression constructor: (_) @made !arguments) (this) @value
    (await_expression [(identifier) (member_expression) (call_expression)] @value)
    (ternary_expression consequence: [(identifier) (member_expression) (call_expression) (new_expression)] @value)
    (ternary_expression alternative: [(identifier) (member_expression) (call_expression) (new_expression)] @value)
    (binary_expression operator: ["||" "??" "&&"]
      [(identifier) (member_expression) (call_expression) (new_expression)] @value)
    (assignment_expression right: [(identifier) (member_expression) (call_expression) (new_expression)] @value)
    (array [(identifier) (member_expression) (call_expression) (new_expression)] @element)
    (object [(pair value: [(identifier) (member_expression) (call_expression) (new_expression)] @element)
             (shorthand_property_identifier) @element])
  ]) @flow

(assignment_expression
  left: [(identifier) @target (member_expression object: (this) property: (_) @target)]
  right: [
    (identifier) @value (member_expression) @value (call_expression) @value (subscript_expression) @value
    (new_expression arguments: (_)) @value (new_expression constructor: (_) @made !arguments) (this) @value
    (await_expression [(identifier) (member_expression) (call_expression)] @value)
    (ternary_expression consequence: [(identifier) (member_expression) (call_expression) (new_expression)] @value)
    (ternary_expression alternative: [(identifier) (member_expression) (call_expression) (new_expression)] @value)
    (binary_expression operator: ["||" "??" "&&"]
      [(identifier) (member_expression) (call_expression) (new_expression)] @value)
    (array [(identifier) (member_expression) (call_expression) (new_expression)] @element)
    (object [(pair value: [(identifier) (member_expression) (call_expression) (new_expression)] @element)
             (shorthand_property_identifier) @element])
  ]) @flow

; const {a, b: c} = x
(variable_declarator
  name: (object_pattern [
    (shorthand_property_identifier_pattern) @target @member
    (pair_pattern key: (property_identifier) @member value: (identifier) @target)])
  value: [(identifier) (member_expression) (call_expression) (new_expression) (this) (await_expression)] @value) @flow

; const [a, b] = xs
(variable_declarator
  name: (array_pattern (identifier) @target)
  value: [(identifier) (member_expression) (call_expression)] @iterated) @flow

; const [a, b] = [f, g], as far as the third; [a, b] = [b, a]
(variable_declarator
  name: (array_pattern . (identifier) @target)
  value: (array . [(identifier) (member_expression) (call_expression) (new_expression)] @value)) @flow

(assignment_expression
  left: (array_pattern . (identifier) @target)
  right: (array . [(identifier) (member_expression) (call_expression) (new_expression)] @value)) @flow

(variable_declarator
  name: (array_pattern . (_) . (identifier) @target)
  value: (array . (_) . [(identifier) (member_expression) (call_expression) (new_expression)] @value)) @flow

(assignment_expression
  left: (array_pattern . (_) . (identifier) @target)
  right: (array . (_) . [(identifier) (member_expression) (call_expression) (new_expression)] @value)) @flow

(variable_declarator
  name: (array_pattern . (_) . (_) . (identifier) @target)
  value: (array . (_) . (_) . [(identifier) (member_expression) (call_expression) (new_expression)] @value)) @flow

; xs[i] = f
(assignment_expression
  left: (subscript_expression object: [(identifier) @target (member_expression object: (this) property: (_) @target)])
  right: [(identifier) (member_expression) (call_expression) (new_expression)] @element) @flow

; Object.assign(x, {a: f})
((call_expression
  function: (member_expression object: (identifier) @_object property: (property_identifier) @_assign)
  arguments: (arguments . (identifier) @target
    (object [(pair value: [(identifier) (member_expression) (call_expression) (new_expression)] @element) (shorthand_property_identifier) @element]))) @flow
  (#eq? @_object "Object")
  (#eq? @_assign "assign"))

; What members of an object at the top of a file stand for.
(program
  [(lexical_declaration (variable_declarator value: (object [
     (pair key: [(property_identifier) (string)] @target value: (identifier) @value)
     (shorthand_property_identifier) @target @value])))
   (export_statement (lexical_declaration (variable_declarator value: (object [
     (pair key: [(property_identifier) (string)] @target value: (identifier) @value)
     (shorthand_property_identifier) @target @value]))))]) @flow

(assignment_pattern left: (identifier) @target right: [(identifier) (member_expression) (call_expression) (new_expression)] @value) @flow

(for_in_statement
  left: (identifier) @target
  operator: "of"
  right: [
    (identifier) @iterated (member_expression) @iterated (call_expression) @iterated
    (await_expression [(identifier) (member_expression) (call_expression)] @iterated)]) @flow

; A function that is returned by its name, or an object whose functions are those of the one around.
(return_statement (function_expression name: (identifier) @value)) @flow.return

(function_declaration
  name: (identifier) @target @type
  body: (statement_block (return_statement (object [
    (method_definition) (pair value: [(arrow_function) (function_expression)])])))) @flow.return

(return_statement [
  (identifier) @value (member_expression) @value (call_expression) @value (subscript_expression) @value
  (new_expression) @value (this) @value
  (parenthesized_expression [(identifier) (member_expression) (call_expression) (new_expression)] @value)
  (await_expression [(identifier) (member_expression) (call_expression)] @value)
  (ternary_expression consequence: [(identifier) (member_expression) (call_expression) (new_expression)] @value)
  (ternary_expression alternative: [(identifier) (member_expression) (call_expression) (new_expression)] @value)
  (binary_expression operator: ["||" "??" "&&"]
    [(identifier) (member_expression) (call_expression) (new_expression)] @value)
  (array [(identifier) (member_expression) (call_expression) (new_expression)] @element)
  (object [(pair value: [(identifier) (member_expression) (call_expression) (new_expression)] @element)
           (shorthand_property_identifier) @element])]) @flow.return

(arrow_function body: [
  (identifier) @value (member_expression) @value (call_expression) @value (new_expression) @value
  (await_expression [(identifier) (member_expression) (call_expression)] @value)
  (array [(identifier) (member_expression) (call_expression) (new_expression)] @element)]) @flow.return

(yield_expression [(identifier) (member_expression) (call_expression) (new_expression)] @element) @flow.return
