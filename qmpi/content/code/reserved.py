"""Words that no identifier may be: reserved in some language, or needed by the listings."""

_KEYWORDS = """
abstract and any arguments array as asm assert async atomic auto await begin bool boolean box
break byte case catch chan char class clone complex const constexpr constructor continue crate
create date debugger declare default defer def del delete desc dict div do done double drop dyn
elif else end enum error esac eval except exec exists exit explicit export extends extern
fallthrough false fi final finally float fmt fn for foreach from func function get global go goto
group having if impl implements import in index inline input insert instanceof int integer
interface into is join key lambda let limit list local long loop macro main make map match math
max min mod module move mut namespace native new nil none nonlocal not null number object of
offset operator option or order override package pass primary print printf private protected
public pub range read readonly real record ref register require result return row rows select self
set shift short signed size sizeof sort static std str strict strictfp string struct sub super
switch symbol sync synchronized table test then this throw throws time trait transient true try
type typedef typeof unary undefined union unique unit unsafe unset unsigned until update use usize
using values var varchar vec view virtual void volatile wait when where while with yield text len
append push pop add put contains copy abs echo length floor slice log console system out trim java
util exception runtime args chars value keys items sum all filter zip iter next open hash id dir
format round bin hex oct ord chr pow property vars some err ok copied panic println describe
expect source alias bind caller cd command enable fc fg getopts history jobs kill logout mapfile
popd pushd pwd readarray shopt suspend times trap typeset ulimit umask unalias sh bash stdin
stdout stderr errno exp sqrt sin cos tan ceil fabs gamma jn yn signal raise free malloc calloc
realloc rand srand atoi remove rename getenv abort labs ldiv puts gets gtk intersect natural left
right inner outer cross full on column references foreign check constraint grant revoke cascade
trigger rollback commit transaction savepoint replace cast collate between like escape glob regexp
within without partition over window rank dense first last nulls ignore respect current preceding
following unbounded plan query release reindex initially indexed instead isnull notnull pragma
attach detach exclude exclusive generated groups ties others nothing conflict before after always
year month day hour minute second interval zone level language user role session action schema
database temporary temp only share mode external storage location comment unknown analyze vacuum
explain show cache lateral tablesample sample percent cluster distribute inf nan iota entry total
want got imag cap close recover rune uint yes no name parameter pattern expression argument
separator privileges granted maintain truncate merge unload overwrite matched qualify pivot alter
change verbose modify tables policy columns split tablets sequence increment owned start restart
duplicate distinct disable force include engine restrict data refresh owner password valid
connection reset cycle returning permissive gist gin similar delayed recursive attribute extension
freeze encoding quote header program plain extended immutable stable leakproof parallel safe
restricted cost support security version isolation repeatable write names immediate snapshot old
statement execute procedure compute statistics optimize rewrite delimited fields terminated
escaped lines metadata parquet binary image decimal numeric precision money varying geometry
geography character serial defined target infer block item lifetime literal pat path gen raw
strings slices testing sorted reversed arrays maps bytes errors
transitive sealed filename alignas alignof thread noreturn generic permits exports opens requires
provides become unsized priv asserts satisfies accessor never coproc keyof wchar offsetof
"""

_COMMON = """
total count result best found acc state steps left res tmp buf cur pos idx seen last score level
depth amount current answer num index key item word line token offset start stop flag first second
prev low high mid right width height weight price rate digit bit seed delta diff ratio mean base
power factor rest carry row col cell cost gain loss balance kind label target source parent child
root leaf needle output ok hits turn
"""
_LISTS = """
items data numbers nums arr entries records scores prices counts weights readings samples lines
words tokens parts rows events orders series batch queue stack buffer cells points marks
"""
_VERBS = """
get compute find count update make build parse check load store merge apply collect  filter reduce
resolve handle process validate normalize encode decode calc measure  estimate select sum scan
visit walk
"""
_ENDS = """
Queue Stack Manager Store Parser Counter Tracker Buffer Cache Pool Registry Ledger  Meter
Scheduler Handler Reader Writer Index Graph Tree Node Account Machine Monitor
"""
COMMON = tuple(_COMMON.split())
"""Names that people give to variables of functions; no drawn name is one of these."""
COMMON_LISTS = tuple(_LISTS.split())
"""Names that people give to lists."""
COMMON_VERBS = tuple(_VERBS.split())
"""What functions do, more often than not."""
CLASS_ENDS = tuple(_ENDS.split())
"""What names of classes end in."""
_PROGRAM = (
    "cat same size code upper lower either neg call lit ints strs aug fail ret fn at other inner"
)
"""Words of the programs' own language: renaming a variable must not touch them."""
RESERVED = frozenset((*_KEYWORDS.split(), *_PROGRAM.split(), *COMMON, *COMMON_LISTS))
"""Every one of them in lower case."""
