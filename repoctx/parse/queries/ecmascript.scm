; What JavaScript and TypeScript write alike.

; --- definitions ---------------------------------------------------------------------------------

[(function_declaration name: (identifier) @name body: (_) @body)
 (generator_function_declaration name: (identifier) @name body: (_) @body)] @definition.function

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

(lexical_declaration
  (variable_declarator name: (identifier) @name value: (class body: (_) @body))) @definition.class

(expression_statement
  (assignment_expression
    left: [(identifier) (member_expression)] @name
    right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])) @definition.function

(expression_statement
  (assignment_expression
    left: (member_expression object: (member_expression) property: (property_identifier)) @name
    right: (class body: (_) @body))) @definition.class

[(variable_declarator value: (object (pair key: [(property_identifier) (string)] @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method))
 (assignment_expression right: (object (pair key: [(property_identifier) (string)] @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method))
 (return_statement (object (pair key: [(property_identifier) (string)] @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method))
 (export_statement value: (object (pair key: [(property_identifier) (string)] @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method))]

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

(call_expression function: [(identifier) (member_expression)] @reference.call)

(new_expression constructor: [(identifier) (member_expression)] @reference.call)

(member_expression object: [(identifier) (this)]) @reference.read

[(arguments (identifier) @reference.read)
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
