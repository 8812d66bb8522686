"""The commands of `liq`. Each imports what it needs when it runs: `liq --help` loads neither Faust nor chdb."""
