/**
  The distributions that `package-lists/pak3.txt` brings into its layer: core ML essentials.

  Type: { ofList } -> [ AttrSet ]
*/
{ ofList }: ofList "pak3.txt"
