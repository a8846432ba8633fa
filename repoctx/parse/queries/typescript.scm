; --- definitions ---------------------------------------------------------------------------------

[(function_declaration name: (identifier) @name body: (_) @body)
 (generator_function_declaration name: (identifier) @name body: (_) @body)] @definition.function

[(class_declaration name: (type_identifier) @name body: (_) @body)
 (abstract_class_declaration name: (type_identifier) @name body: (_) @body)
 (class name: (type_identifier) @name body: (_) @body)] @definition.class

(method_definition
  name: [(property_identifier) (private_property_identifier) (string)] @name
  body: (_) @body) @definition.method

(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method

(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name) @definition.field

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

(extends_clause value: [(identifier) (member_expression)] @reference.inherit)

(extends_clause value: (call_expression arguments: (arguments (identifier) @reference.inherit)))

[(implements_clause (type_identifier) @reference.inherit)
 (implements_clause (nested_type_identifier) @reference.inherit)
 (implements_clause (generic_type name: (_) @reference.inherit))
 (extends_type_clause type: (type_identifier) @reference.inherit)
 (extends_type_clause type: (nested_type_identifier) @reference.inherit)
 (extends_type_clause type: (generic_type name: (_) @reference.inherit))]

(call_expression function: [(identifier) (member_expression)] @reference.call)

(new_expression constructor: [(identifier) (member_expression)] @reference.call)

(nested_type_identifier) @reference.type

(type_identifier) @reference.type

(type_query [(identifier) (member_expression)] @reference.type)

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
