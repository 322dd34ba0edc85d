/**
  The distributions that `package-lists/pak5.txt` brings into its layer: extended libraries.

  Type: { ofList } -> [ AttrSet ]
*/
{ ofList }: ofList "pak5.txt"
