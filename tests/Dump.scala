object Dump {
  def json(value: Any): String = value match {
    case null => "null"
    case one: Boolean => one.toString
    case one: Int => one.toString
    case one: Long => one.toString
    case one: BigInt => one.toString
    case one: Double => "%.17e".formatLocal(java.util.Locale.ROOT, one)
    case one: String => one.map(unit => "\\" + "u%04x".format(unit.toInt)).mkString("\"", "", "\"")
    case one: Seq[_] => one.map(json).mkString("[", ",", "]")
    case one: Map[_, _] =>
      one.map { case (key, item) => json(key) + ":" + json(item) }.mkString("{", ",", "}")
  }
}
