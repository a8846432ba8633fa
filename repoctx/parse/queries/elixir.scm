; Modules, functions and their heads are calls of macros.

; --- definitions ---------------------------------------------------------------------------------

((call
  target: (identifier) @_macro
  (arguments . (alias) @name)
  (do_block)? @body) @definition.module
  (#eq? @_macro "defmodule"))

((call
  target: (identifier) @_macro
  (arguments . (alias) @name)
  (do_block)? @body) @definition.interface
  (#eq? @_macro "defprotocol"))

((call
  target: (identifier) @_macro
  (arguments . (alias) (keywords . (pair key: (keyword) @_for value: (alias) @name)))
  (do_block)? @body) @container
  (#eq? @_macro "defimpl")
  (#match? @_for "^for:"))

((call
  target: (identifier) @_macro
  (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name) operator: "when")
    (binary_operator left: (identifier) @name operator: "when")]
    (keywords (pair key: (keyword) @_do) @body .))) @definition.function
  (#any-of? @_macro "def" "defp" "defn" "defnp")
  (#match? @_do "^do:"))

((call
  target: (identifier) @_macro
  (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name) operator: "when")
    (binary_operator left: (identifier) @name operator: "when")])
  (do_block)? @body) @definition.function
  (#any-of? @_macro "def" "defp" "defdelegate" "defn" "defnp"))

((call
  target: (identifier) @_macro
  (arguments . (binary_operator operator: ["<~>" "<~" "~>" "<|>" "|||" "+" "-" "*" "/" "++" "--" "<>" "==" "<" ">" "<=" ">=" "&&&" "|>"] @name))
  (do_block)? @body) @definition.function
  (#any-of? @_macro "def" "defp"))

((call
  target: (identifier) @_macro
  (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name) operator: "when")])
  (do_block)? @body) @definition.macro
  (#any-of? @_macro "defmacro" "defmacrop" "defguard" "defguardp"))

((call
  target: (identifier) @_macro
  (arguments . (string) @name)
  (do_block) @body) @definition.test
  (#any-of? @_macro "test" "property"))

(unary_operator operator: "@" operand: (call
  target: (identifier) @_attribute
  (arguments . (binary_operator left: [(identifier) @name (call target: (identifier) @name)] operator: "::"))) @definition.type
  (#any-of? @_attribute "type" "typep" "opaque"))

(unary_operator operator: "@" operand: (call
  target: (identifier) @_attribute
  (arguments . (binary_operator left: (call target: (identifier) @name) operator: "::"))) @definition.function
  (#any-of? @_attribute "callback" "macrocallback"))

(unary_operator operator: "@" operand: (call target: (identifier) @name) @definition.constant
  (#not-match? @name "^(doc|moduledoc|typedoc|shortdoc|spec|type|typep|opaque|callback|macrocallback|behaviour|impl|derive|deprecated|since|tag|moduletag|describetag|compile|dialyzer|external_resource|before_compile|after_compile|on_definition|on_load|optional_callbacks|enforce_keys|vsn|subject)$"))

((call
  target: (identifier) @_macro
  (arguments . (list (atom) @name))) @definition.field
  (#any-of? @_macro "defstruct" "defexception"))

; --- doc comments and other attributes above definitions -----------------------------------------

((do_block (unary_operator operator: "@" operand: (call
  target: (identifier) @_attribute
  (arguments . [(string) (sigil)] @doc)))) @place
  (#eq? @_attribute "moduledoc"))

((unary_operator operator: "@" operand: (call
  target: (identifier) @_attribute
  (arguments . [(string) (sigil)] @doc))) @place
  (#any-of? @_attribute "doc" "typedoc"))

(((unary_operator operator: "@" operand: (call target: (identifier) @_attribute)) @outer
  . [(call) @inner (unary_operator operator: "@") @inner (unary_operator operator: "@" operand: (call) @inner)])
  (#any-of? @_attribute "doc" "typedoc" "spec" "impl" "deprecated" "since" "tag"))

(unary_operator operator: "@" operand: (call
  target: (identifier) @_attribute
  (arguments . (binary_operator left: (call target: (identifier) @ignore))))
  (#eq? @_attribute "spec"))

(unary_operator operator: "@" operand: (call
  target: (identifier) @_attribute
  (arguments . (binary_operator left: (binary_operator left: (call target: (identifier) @ignore)))))
  (#eq? @_attribute "spec"))

((unary_operator operator: "@" operand: (call target: (identifier) @ignore))
  (#match? @ignore "^(doc|moduledoc|typedoc|shortdoc|spec|type|typep|opaque|callback|macrocallback|behaviour|impl|derive|deprecated|since|tag|moduletag|describetag|compile|dialyzer|external_resource|before_compile|after_compile|on_definition|on_load|optional_callbacks|enforce_keys|vsn|subject)$"))

; --- imports -------------------------------------------------------------------------------------

((call
  target: (identifier) @_macro
  (arguments . (alias) @module (keywords (pair key: (keyword) @_as value: (alias) @import.alias)))) @import
  (#any-of? @_macro "alias" "require")
  (#match? @_as "^as:"))

((call
  target: (identifier) @_macro
  (arguments . (dot left: (alias) @module right: (tuple (alias) @import.name)))) @import
  (#any-of? @_macro "alias" "import" "require" "use"))

((call
  target: (identifier) @_macro
  (arguments . (alias) @module .)) @import
  (#eq? @_macro "alias"))

((call
  target: (identifier) @_macro
  (arguments . (alias) @module)) @import @import.everything
  (#any-of? @_macro "import" "use"))

; --- references ----------------------------------------------------------------------------------

((unary_operator operator: "@" operand: (call
  target: (identifier) @_attribute
  (arguments . (alias) @reference.inherit)))
  (#eq? @_attribute "behaviour"))

((call
  target: (identifier) @_macro
  (arguments . (alias) @reference.inherit))
  (#any-of? @_macro "use" "defimpl"))

(call target: (dot left: [(alias) (atom)] @qualifier right: (identifier) @name)) @reference.call

(call target: (dot left: (identifier) @qualifier right: (identifier) @name) @reference.call
  (#eq? @qualifier "__MODULE__"))

(call target: (identifier) @reference.call)

(binary_operator operator: "|>" right: (identifier) @reference.call)

(unary_operator operator: "&" operand: (binary_operator operator: "/" left: (identifier) @reference.call))

(unary_operator operator: "@" operand: (identifier) @reference.read)

(alias) @reference.type
